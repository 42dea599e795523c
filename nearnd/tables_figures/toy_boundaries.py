"""What two losses make of the same outliers, on points of a plane (RETH fig. 1): no experiment."""

import numpy as np

from nearnd.tables_figures._style import NEAR, NORMAL, WIDTH, legend, panels, styled
from nearnd.tables_figures._toy_network import train

MAKES = "figure"
READS = []
BOX = 3.0  # half of the side of the square
AWAY = 1.5  # outliers lie at least so far from the middle of the normal points
LOSSES = {"bce": "binary cross entropy", "hsc": "hypersphere loss"}


@styled
def build(data, /, points: int = 100, steps: int = 1500, seed: int = 0):
    """Rows: outliers all around the normal points, and at one side of them alone; columns: the
    loss. Grey is the rank of the score, dark for anomalous; the line has 95 % of the normal points
    inside. The points (a normal distribution, as many outliers) and the network are ours: the paper
    does not say its own."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(0, 0.5, (points, 2))  # (n, 2)
    outliers = {
        "outliers around": rng.uniform(-BOX, BOX, (9 * points, 2)),
        "outliers at one side": rng.normal(1.8, 0.5, (9 * points, 2)),
    }
    figure, axes = panels(4, 2, 2.5, 0.3, width=0.75 * WIDTH, sharex=True, sharey=True)
    line = np.linspace(-BOX, BOX, 101)
    plane = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)  # (G, 2)
    cases = [(where, loss) for where in outliers for loss in LOSSES]
    for (where, loss), ax in zip(cases, axes, strict=True):
        shown = _allowed(outliers[where])[:points]
        score = train(normal, shown, loss, steps, seed)
        values = score(plane)  # (G,)
        ranks = (np.argsort(np.argsort(values)) / len(values)).reshape(len(line), -1)
        ax.imshow(ranks, extent=(-BOX, BOX, -BOX, BOX), origin="lower", cmap="Greys", alpha=0.6)
        ax.contour(line, line, values.reshape(ranks.shape), [np.quantile(score(normal), 0.95)],
                   colors="black", linewidths=1.2, linestyles="solid")  # fmt: skip
        ax.plot(*normal.T, ".", color=NORMAL, markersize=3, label="normal")
        ax.plot(*shown.T, "x", color=NEAR, markersize=3, label="outliers of the training")
        ax.set_title(f"{where},\n{LOSSES[loss]}", fontsize=8)
        ax.grid(visible=False)
    figure.supxlabel("first coordinate", fontsize=8)
    figure.supylabel("second coordinate", fontsize=8)
    legend(figure, axes, "upper")
    return figure


def _allowed(points: np.ndarray) -> np.ndarray:
    """Those in the square and away from the normal points."""
    return points[(np.abs(points) < BOX).all(1) & (np.linalg.norm(points, axis=1) > AWAY)]
