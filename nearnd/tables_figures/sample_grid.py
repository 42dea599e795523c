"""Normal images, images of the closest anomaly class, and fakes (FITYMI appendix fig. 4 and 5)."""

from textwrap import fill

import numpy as np

from nearnd.tables_figures._mosaic import bare, show_row
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import FAKE, NEAR, NORMAL, WIDTH, panels, styled

MAKES = "figure"
READS = ["samples"]


@styled
def build(data, /, columns: int = 8):
    """A block per class, with a row of normal images, one of the closest anomaly class, one for
    each kind of fakes, and of generators that drew them, that a method was trained on (the first
    set of each); `columns` images each, fewer where there are fewer."""
    samples, datasets = data["samples"], [sample["dataset"] for sample in data["samples"]]
    across = 1 if len(samples) == 1 else 2
    image = (WIDTH / across - 0.6) / columns  # inches; the rest is for the words on the left
    titles = []
    for sample in samples:
        title = of(data, sample["dataset"], datasets) + name(data, sample["normal"])
        if (near := sample.get("near")) in sample["anomalies"]:
            title += f" (near: {name(data, near)})"
        titles.append(fill(title, 84 // across, break_on_hyphens=False))
    words = 0.15 * max(title.count("\n") for title in titles)
    blocks = [_rows(sample) for sample in samples]
    most = max(map(len, blocks))
    figure, axes = panels(len(samples), across, most * image + 0.3 + words, width=WIDTH)
    for rows, title, ax in zip(blocks, titles, axes, strict=True):
        for i, (_, images, _) in enumerate(rows):
            show_row(ax, i, images[:columns])
        bare(ax, [word for word, _, _ in rows], columns)
        for tick, (_, _, colour) in zip(ax.get_yticklabels(), rows, strict=True):
            tick.set_color(colour)
        ax.set_title(title, pad=3)
    return figure


def _rows(sample: dict) -> list[tuple[str, np.ndarray, str]]:
    """(word, images (n, H, W, C), colour) of each row of a block."""
    rows = [("normal", sample["real"], NORMAL)]
    near = sample.get("near")
    if near in sample["anomalies"]:
        rows.append(("near", sample["anomalies"][near], NEAR))
    return rows + [(words, images, FAKE) for words, images in sample["fakes"].items()]
