"""One row for each method, one column for each dataset: how the papers' main tables look."""

from typing import Literal

import numpy as np
import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._marks import certainties
from nearnd.tables_figures._settings import CLOSEST, FAR, WORST, percent, settings
from nearnd.tables_figures._tables import cells, wide

MAKES = "table"
READS = ["metrics", "closeness", "paired"]
SHOWN = {"far": FAR, "near": WORST, "closest": CLOSEST}


@configured
def build(data, /, show: Literal["far", "near", "closest"] = "far", spread: bool = False):
    """Mean AUROC over classes, mean and standard deviation over seeds, in percent; last the mean
    over datasets, of methods that have them all. A method that did not run on a dataset has "-".

    show: far (one-vs-rest), near (bottom-1) or closest (the nearest class).
    spread: beside that mean its standard deviation over datasets, as for splits of one set.
    """
    values = settings(data, None, None, None)
    values = values[values["setting"] == SHOWN[show]]
    if values.empty:
        raise ValueError(f"by_dataset: show is {show}, of which the experiment has no numbers")
    found = cells(values, "dataset", "method", of=certainties(data))
    rows = found.groupby("method", sort=False)
    whole = rows["dataset"].size() == found["dataset"].nunique()
    sd = rows["mean"].std() if spread else pd.Series(np.nan, whole.index)
    texts = [percent(*both) for both in zip(rows["mean"].mean(), sd, strict=True)]
    mean = pd.Series(texts, whole.index).where(whole, "-")
    last = pd.DataFrame({"mean": mean, "runs": rows["runs"].min()}).reset_index()
    return wide(data, found, ["method"], "dataset", last).replace("", "-")
