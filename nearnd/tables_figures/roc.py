"""ROC curves of the methods, far and near."""

import numpy as np
from matplotlib.lines import Line2D

from nearnd.tables_figures._groups import tasks
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import WIDTH, method_styles, panels, styled

MAKES = "figure"
READS = ["scores", "closeness"]
GRID = np.linspace(0, 1, 501)
SIDES = ("all anomalies", "closest class")


@styled
def build(
    data, /, methods: list[str] | None = None, far: str | None = None, near: str | None = None
):
    """A row of two panels per dataset, against all anomalies and, where it is known, against the
    closest class: x the share of normal images flagged, y the share of anomalies found, a curve per
    method averaged over classes and seeds at equal x. The legend gives the mean AUROC of each."""
    scores, closeness = data["scores"], data.get("closeness")
    styles = {m: style | {"marker": ""} for m, style in method_styles(scores["method"]).items()}
    shown = list(styles) if methods is None else methods
    datasets = scores["dataset"].unique()
    height = max(2.7, 0.6 + 0.18 * len(shown))
    sides = {}
    for dataset in datasets:
        own = scores[(scores["dataset"] == dataset) & scores["method"].isin(shown)]
        tests = own.loc[own["is_anomaly"], "test"].unique()
        sides[dataset] = [_curves(own, closeness, far or tests[0], False),
                          _curves(own, closeness, near or tests[-1], True)]  # fmt: skip
    columns = 2 if any(close for _, close in sides.values()) else 1
    longest = max((len(name(data, method)) for method in shown), default=0)
    width = max(WIDTH if columns == 2 else 0.75 * WIDTH, 2.3 * columns + longest / 17 + 1.4)
    figure, axes = panels(
        columns * len(datasets), columns, height, sharex=True, sharey=True, width=width
    )
    figure.set_layout_engine("compressed")  # else a legend beside square panels may be cut off
    for i, (dataset, curves) in enumerate(sides.items()):
        row = axes[columns * i :][:columns]
        for ax, side, found in zip(row, SIDES, curves, strict=False):
            for method, of in found.items():
                # A curve starts at (0, 0), where the average has no value
                mean = np.append(0, 100 * mean_roc(of))
                ax.plot(np.append(0, 100 * GRID), mean, **styles[method])
            ax.plot([0, 100], [0, 100], color="#8C8C8C", linewidth=0.9, zorder=0)
            ax.set_title(f"{name(data, dataset)}: {side}")
            ax.set_xlabel("normal images flagged (%)")
            ax.xaxis.set_tick_params(labelbottom=True)
            ax.set_aspect("equal")
        row[0].set_ylabel("anomalies found (%)")
        lines = []
        for method in [m for m in shown if m in {**curves[0], **curves[1]}]:
            areas = [mean_area(found[method]) for found in curves if method in found]
            words = f"{name(data, method)}: " + " | ".join(f"{100 * a:.1f}" for a in areas)
            lines.append(Line2D([], [], label=words, **styles[method]))
        title = "mean AUROC (%)" + ("\nall | closest" if curves[1] else "")
        row[-1].legend(handles=lines, title=title, loc="center left", bbox_to_anchor=(1.03, 0.5))
    return figure


def _curves(scores, closeness, test: str, closest: bool) -> dict[str, list]:
    """Method -> ROC curves of its runs, against all anomalies or the closest class."""
    found: dict[str, list] = {}
    for names, rows, nearest in tasks(scores, closeness, test):
        if closest:
            rows = rows[~rows["is_anomaly"] | (rows["class"] == nearest)]
        if not closest or nearest is not None:
            curve = roc(rows["score"].to_numpy(float), rows["is_anomaly"].to_numpy(bool))
            found.setdefault(names["method"], []).append(curve)
    return found


def roc(scores: np.ndarray, is_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False alarms (T,) and anomalies found (T,), shares from (0, 0) to (1, 1), one point per
    distinct score; the area under straight lines between them is the AUROC with ties half."""
    t = np.unique(scores)[::-1]  # (T,) from high to low
    groups = (np.sort(scores[~is_anomaly]), np.sort(scores[is_anomaly]))
    false, found = (1 - np.searchsorted(group, t) / len(group) for group in groups)
    return np.append(0.0, false), np.append(0.0, found)


def mean_area(curves: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return np.mean([np.trapezoid(y, x) for x, y in curves])


def mean_roc(curves: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Anomalies found at the false alarms of GRID, averaged over curves (vertical averaging)."""
    found = []
    for x, y in curves:
        top = np.append(np.diff(x) > 0, True)  # where a curve climbs at one x, the top of the climb
        found.append(np.interp(GRID, x[top], y[top]))
    return np.mean(found, axis=0)  # (G,)
