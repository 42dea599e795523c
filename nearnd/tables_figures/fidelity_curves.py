"""Fidelity of a generator along its training (FITYMI fig. 3, left)."""

from nearnd.report.words import measures, stated, word
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import legend, maybe_log, method_styles, panels, shade, styled

MAKES = "figure"
READS = ["fidelity"]


@styled
def build(data, /, show: list[str] | None = None):  # measures; None: all there are
    """One panel per measure: x the training step, y the measure, a curve per generator: mean over
    classes (and seeds), in a band from the lowest to the highest class."""
    table = data["fidelity"]
    shown = list(show or measures(table))
    figure, axes = panels(len(shown), min(2, len(shown)), 2.4)
    curves = {
        of(data, dataset, table["dataset"]) + name(data, generator): rows
        for (dataset, generator), rows in table.groupby(["dataset", "generator"], sort=False)
    }
    styles = method_styles(curves)
    for measure, ax in zip(shown, axes, strict=True):
        for label, rows in curves.items():
            rows = rows.dropna(subset=[measure])
            classes = rows.groupby(["normal", "step"])[measure].mean()
            by_step = classes.groupby("step").agg(["mean", "min", "max", "size"])
            line = styles[label] | {"markersize": 3.5}
            ax.plot(by_step.index, by_step["mean"], label=label, **line)
            if (by_step["size"] > 1).any():
                shade(ax, by_step.index, by_step["min"], by_step["max"], line["color"])
        ax.set_xlabel("training step")
        unit = stated(measure, "UNIT")
        ax.set_ylabel(word(measure) + (f"\n({unit})" if unit else ""))
        maybe_log(ax, "x", table.loc[table["step"] > 0, "step"], 20)
        if stated(measure, "DISTANCE"):
            maybe_log(ax, "y", table[measure], 10)
        else:
            ax.set_ylim(bottom=0)
    legend(figure, axes)
    return figure
