"""The long summary that the other tables are drawn from."""

from nearnd.contracts import configured
from nearnd.report.summary import summary

MAKES = "table"
READS = ["metrics", "closeness", "slices"]


@configured
def build(data, /):
    """dataset, method, test, metric, mean, sd, runs, sd_classes, images; entries by their names in
    the config and values in [0, 1], as programs read it too. See nearnd.report.summary.summary."""
    return summary(data["metrics"], data.get("closeness"), data.get("slices"))
