"""Whether test images were among the fakes that a method was trained on."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._settings import name

MAKES = "table"
READS = ["overlap"]


@configured
def build(data, /):
    """Per method and test set: its images, how many of them equal a fake of training pixel by
    pixel (the most over normal classes and seeds), and whether the sets are disjoint."""
    rows, key = [], ["dataset", "method", "fakes", "test"]
    found = data["overlap"]
    for values, group in found.groupby(key, sort=False) if len(found) else []:
        line = {c: name(data, v) for c, v in zip(key, values, strict=True)}
        shared = int(group["in_fakes"].max())
        line |= {"images": int(group["n"].max()), "among the fakes": shared}
        rows.append(line | {"disjoint": "no" if shared else "yes"})
    return pd.DataFrame(rows, columns=[*key, "images", "among the fakes", "disjoint"])
