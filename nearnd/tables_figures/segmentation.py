"""How well anomaly maps mark each kind of defect: AUROC of pixels, AUPRO, IoU."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._pixels import QUANTILE, measures
from nearnd.tables_figures._settings import several
from nearnd.tables_figures._tables import cells, wide

MAKES = "table"
READS = ["maps"]
WORDS = {
    "auroc": "pixel AUROC",
    "aupro": "AUPRO (0.3)",
    "iou": "IoU",
    "iou_oracle": "IoU (oracle threshold)",
}


@configured
def build(data, /, quantile: float = QUANTILE):
    """A row for each method and kind of defect, and one for all kinds; columns the four measures of
    `_pixels.measures`, "mean ± sd over seeds" in percent. The threshold of IoU lies at the
    `quantile` of the pixels of normal images. ValueError if the dataset has no masks."""
    keys, rows = ("dataset", "normal", "method", "seed"), []
    for source in data["maps"]:
        for kind, found in measures(source, quantile).items():
            about = {key: source[key] for key in keys} | {"anomaly": kind}
            rows += [about | {"measure": WORDS[m], "value": value} for m, value in found.items()]
    if not rows:
        raise ValueError(
            "the table of marked pixels needs a dataset with masks, such as MVTec AD or a folder"
            " with ground_truth: take it out of the experiment's `drawings`"
        )
    values, head = pd.DataFrame(rows), ["dataset", "normal", "method", "anomaly"]
    found = cells(values, *head, "measure")
    runs = found[[*head, "runs"]].drop_duplicates(head)
    table = wide(data, found, head, "measure", runs)
    return table if several(table, "normal") else table.drop(columns="normal")
