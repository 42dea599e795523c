"""The long summary that the other tables are drawn from."""

from nearnd.contracts import configured
from nearnd.report.summary import summary

MAKES = "table"
READS = ["metrics", "closeness", "slices", "paired"]


@configured
def build(data, /):
    """dataset, method, test, metric, mean, sd, runs, sd_classes, images, low, high, as programs
    read it too: entries by their names in the config and values in [0, 1]. See
    nearnd.report.summary.summary."""
    found = [data.get(what) for what in ("closeness", "slices")]
    return summary(data["metrics"], *found, data.get("paired", ()))
