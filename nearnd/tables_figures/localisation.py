"""How well anomaly maps find the marked pixels: AUROC over pixels (PatchCore table 2)."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._pixels import ALL, measures
from nearnd.tables_figures._tables import cells, means, wide

MAKES = "table"
READS = ["maps"]


@configured
def build(data, /):
    """Rows methods, columns the normal classes and their mean, cells the AUROC of all pixels of the
    test images, "mean ± sd over seeds" in percent. ValueError if the dataset has no masks."""
    keys = ("dataset", "normal", "method", "seed")
    rows = [
        {key: source[key] for key in keys} | {"value": found[ALL]["auroc"]}
        for source in data["maps"]
        if (found := measures(source, kinds=False))
    ]
    if not rows:
        raise ValueError(
            "the table of pixel AUROC needs a dataset with masks, such as MVTec AD or a folder"
            " with ground_truth: take it out of the experiment's `drawings`"
        )
    values, head = pd.DataFrame(rows), ["dataset", "method"]
    found = cells(values, *head, "normal")
    return wide(data, found, head, "normal", means(values, *head), always=True)
