"""Where a detector sees the anomaly: images, maps over them, and masks (PatchCore fig. 1)."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm

from nearnd.tables_figures._maps import shown
from nearnd.tables_figures._mosaic import MIDDLE, bare, show_row
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import NEAR, NORMAL, WIDTH, panels, styled

MAKES = "figure"
READS = ["maps"]
COLOURS = "viridis"  # even in brightness, and told apart with any colour vision
OPACITY = 0.65  # of the map over a grey image
SMALL = {"size": 7, "ha": "center", "va": "bottom"}
ASIDE = 1.3  # inches of a block for the words and the colour bar


@styled
def build(data, /, columns: int = 4, blocks: int = 8):
    """A block for each normal class and method, the first `blocks` of them, first seed: `columns`
    of the most anomalous test images, of different classes as far as there are, and `columns`
    normal ones, evenly picked. Below each image its map on the colours of the block's bar, in which
    the square root of the value is even; below it the mask where the dataset has one."""
    first = min((source["seed"] for source in data["maps"]), default=0)
    sources = [source for source in data["maps"] if source["seed"] == first][:blocks]
    if not sources:
        raise ValueError("no method of this experiment has maps; patchcore is one that has")
    rows = 2 + any(source["masks"] is not None for source in sources)
    image = (WIDTH - ASIDE) / (2 * columns)  # inches
    picked = [np.r_[worst(source, columns), normal(source, columns)] for source in sources]
    labels = [
        [_label(data, source, row, 44 // columns) for row in some]
        for source, some in zip(sources, picked, strict=True)
    ]
    lines = 1 + max(label.count("\n") for some in labels for label in some)
    figure, axes = panels(len(sources), 1, rows * image + 0.35 + 0.13 * lines)
    for ax, *block in zip(axes, sources, picked, labels, strict=True):
        words = _block(ax, *block)
        bare(ax, words, 2 * columns, rows)
        who = f"{name(data, block[0]['normal'])} is normal, {name(data, block[0]['method'])}"
        title = fill(f"{name(data, block[0]['dataset'])}: {who}", 80)
        ax.set_title(title, pad=2 + 9 * lines)
    return figure


def _label(data: dict, source: dict, row: int, letters: int) -> str:
    words = fill(name(data, source["class"][row]), letters, break_on_hyphens=False)
    return f"{words}\n{source['map'][row].max():.3g}"


def _block(ax: Axes, source: dict, picked: np.ndarray, labels: list[str]) -> list[str]:
    """Draws a block without its words, the names of its rows, which are given back."""
    pixels, maps, masks = shown(source, picked)
    scale = PowerNorm(0.5, float(maps.min()), float(maps.max()))  # one glaring anomaly is not all
    colours = ScalarMappable(scale, COLOURS)
    rgb = colours.cmap(scale(maps))[..., :3]  # (n, s, s, 3)
    grey = pixels.mean(axis=-1, keepdims=True)  # (n, s, s, 1)
    over = OPACITY * 255 * rgb + (1 - OPACITY) * grey  # (n, s, s, 3)
    rows = {"image": pixels, "map": over.astype(np.uint8)}
    if masks is not None:
        rows["mask"] = 255 * (masks[..., None] > 0).astype(np.uint8)  # (n, s, s, 1)
    for i, images in enumerate(rows.values()):
        show_row(ax, i, images)
    for i, (row, label) in enumerate(zip(picked, labels, strict=True)):
        colour = NEAR if source["is_anomaly"][row] else NORMAL
        ax.text(i + MIDDLE, -0.06, label, **SMALL, color=colour)
    bar = ax.figure.colorbar(colours, ax=ax, fraction=0.03, pad=0.01)
    bar.set_label("value of the map")
    bar.outline.set_visible(False)
    bar.ax.grid(False)
    return list(rows)


def worst(source: dict, n: int) -> np.ndarray:
    """Rows of anomalies: the highest score of each class, from the highest down, then each class's
    second, and so on."""
    score = source["map"].max(axis=(1, 2))  # (N,)
    rows = np.flatnonzero(source["is_anomaly"])
    rows = rows[np.argsort(-score[rows], kind="stable")]
    classes = pd.Series(source["class"][rows])
    place = classes.groupby(classes).cumcount()  # 0 for the highest of its class, 1, ...
    return rows[np.argsort(place, kind="stable")][:n]


def normal(source: dict, n: int) -> np.ndarray:
    """Rows of normal images, evenly picked along their order."""
    rows = np.flatnonzero(~source["is_anomaly"])
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)]
