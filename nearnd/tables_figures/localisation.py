"""How well anomaly maps find the marked pixels: AUROC over pixels (PatchCore table 2)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.tables_figures._maps import pixel_auroc
from nearnd.tables_figures._settings import name, percent

MAKES = "table"
READS = ["maps"]


def build() -> Drawing:
    """Rows methods, columns the normal classes and their mean, cells the AUROC of all pixels of the
    test images, "mean ± sd over seeds" in percent. ValueError if the dataset has no masks."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        keys = ("dataset", "normal", "method", "seed")
        rows = [
            {key: source[key] for key in keys} | {"value": value}
            for source in data["maps"]
            if (value := pixel_auroc(source)) is not None
        ]
        if not rows:
            raise ValueError(
                "the table of pixel AUROC needs a dataset with masks, such as MVTec AD or a folder"
                " with ground_truth: take it out of the experiment's `drawings`"
            )
        values, lines = pd.DataFrame(rows), []
        for (dataset, method), own in values.groupby(["dataset", "method"], sort=False):
            line = {"dataset": name(data, dataset), "method": name(data, method)}
            for normal, cell in own.groupby("normal", sort=False)["value"]:
                line[name(data, normal)] = percent(cell.mean(), cell.std())
            means = own.groupby("seed")["value"].mean()  # of the normals, for each seed
            lines.append(line | {"mean": percent(means.mean(), means.std()), "runs": len(means)})
        return pd.DataFrame(lines).fillna("")

    return draw
