"""What each setting of each sampler costs and gives."""

from typing import Any

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.words import distances, measures, word
from nearnd.tables_figures._sampler_cost import band, settings_of

MAKES = "table"
READS = ["samplers"]


@configured
def build(data, /, measure: str | None = None):
    """Per setting: network calls for each image, images per second, the measures as "mean ± sd"
    over repeats, and whether `measure` (None: the first distance) is within the noise of the first
    sampler."""
    rows = settings_of(data["samplers"])
    distance = measure or distances(data["samplers"])[0]
    good = rows[distance] <= band(rows, distance)[1]
    cheapest = rows.loc[good, "calls"].idxmin()
    lines = []
    for i, row in rows.iterrows():
        line = {"sampler": row["label"], "setting": _words(row["setting"], row["value"])}
        line |= {"network calls": f"{row['calls']:.4g}", "images/s": f"{row['rate']:.3g}"}
        for name in measures(data["samplers"]):
            line[word(name)] = f"{row[name]:.3g} ± {row[f'{name}_sd']:.2g}"
        line["repeats"] = row["repeats"]
        line["within noise"] = ("cheapest" if i == cheapest else "yes") if good[i] else "no"
        lines.append(line)
    return pd.DataFrame(lines)


def _words(setting: str, value: Any) -> str:
    """`steps 18`, `corrector none`, or nothing where nothing was varied."""
    return f"{setting} {value:g}" if isinstance(value, float) else f"{setting} {value}".strip()
