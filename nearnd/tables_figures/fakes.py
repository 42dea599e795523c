"""What the fakes are: where the generator was stopped, how close they came, how many are copies."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.words import measures, word
from nearnd.tables_figures._measures import cell, step
from nearnd.tables_figures._settings import name, several

MAKES = "table"
READS = ["fakes"]


@configured
def build(data, /):
    """Per fakes entry and normal class: step of the chosen snapshot, the fidelity measures there,
    the share of fakes that copy a training image (percent), the number of fakes, and of runs.
    "mean ± sd" over seeds; an asterisk where the fidelity table has a remark on the measure."""
    key = ["dataset", "fakes", "normal"]
    fakes = data["fakes"].drop_duplicates([*key, "seed"])  # it may stand once per method
    head = [c for c in key if c == "normal" or several(fakes, c)]
    rows = []
    for values, group in fakes.groupby(key, sort=False):
        line = {c: name(data, v) for c, v in zip(key, values, strict=True) if c in head}
        if {"step", "steps"} & set(fakes):  # not where all of them were imported
            line["step"] = step(group)
        remarks = " ".join(group["remark"].fillna("").astype(str)) if "remark" in group else ""
        for m in measures(fakes):
            line[word(m)] = cell(group[m], ".3g") + ("*" if f"{m}:" in remarks else "")
        line["copies (%)"] = cell(100 * group["copies"], ".1f")
        rows.append(line | {"n": cell(group["n"], ".0f"), "runs": len(group)})
    return pd.DataFrame(rows)
