"""Distance of the drawn images against what drawing them costs, for several samplers."""

from nearnd.report.words import distances, word
from nearnd.tables_figures._sampler_cost import band, settings_of
from nearnd.tables_figures._style import legend, maybe_log, method_styles, panels, styled

MAKES = "figure"
READS = ["samplers"]


@styled
def build(data, /, show: list[str] | None = None):
    """One panel per measure of `show` (None: all distances): x the network calls for one image, y
    the measure, a line per sampler with bars of one standard deviation over repeats, and the noise
    of the first sampler as a band."""
    rows = settings_of(data["samplers"])
    shown = list(show or distances(data["samplers"]))
    figure, axes = panels(len(shown), len(shown), 2.9)
    styles = method_styles(rows["label"])
    for measure, ax in zip(shown, axes, strict=True):
        low, high = band(rows, measure)
        ax.axhspan(low, high, color="#000000", alpha=0.1, linewidth=0)
        for label, line in rows.groupby("label", sort=False):
            line = line.sort_values("calls")
            ax.errorbar(line["calls"], line[measure], line[f"{measure}_sd"], label=label,
                        elinewidth=0.8, markersize=4, **styles[label])  # fmt: skip
        ax.set_xscale("log")
        maybe_log(ax, "x", rows["calls"], 1)
        maybe_log(ax, "y", rows[measure], 8)
        ax.set_xlabel("network calls for one image")
        ax.set_ylabel(word(measure))
    legend(figure, figure.axes)
    return figure
