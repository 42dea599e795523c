"""Normal images, images of the closest anomaly class, and fakes (FITYMI appendix fig. 4 and 5)."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.words import label
from nearnd.tables_figures._mosaic import bare, show_row
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import FAKE, NEAR, NORMAL, WIDTH, panels, styled

MAKES = "figure"
READS = ["samples"]


def build(columns: int = 8) -> Drawing:
    """A block per class, with a row of normal images, one of the closest anomaly class, one for
    each kind of fakes that a method was trained on (the first set of each); `columns` images each,
    fewer where there are fewer."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        samples = data["samples"]
        across = 1 if len(samples) == 1 else 2
        lines = -(-len(samples) // across)
        image = (WIDTH / across - 0.6) / columns  # inches; the rest is for the words on the left
        several = len({sample["dataset"] for sample in samples}) > 1
        titles = [_title(data, sample, several, letters=84 // across) for sample in samples]
        words = 0.15 * max(title.count("\n") for title in titles)
        blocks = [_rows(sample) for sample in samples]
        most = max(map(len, blocks))
        figure, axes = panels(lines, across, most * image + 0.3 + words, width=WIDTH)
        for rows, title, ax in zip(blocks, titles, axes.flat, strict=False):
            for i, (_, images, _) in enumerate(rows):
                show_row(ax, i, images[:columns])
            bare(ax, len(rows), columns)
            ax.set_yticks([i + 0.47 for i in range(len(rows))], [words for words, _, _ in rows])
            for tick, (_, _, colour) in zip(ax.get_yticklabels(), rows, strict=True):
                tick.set_color(colour)
            ax.set_title(title, pad=3)
        for ax in axes.flat[len(samples) :]:
            ax.set_visible(False)
        return figure

    return draw


def _rows(sample: dict[str, Any]) -> list[tuple[str, np.ndarray, str]]:
    """(word, images (n, H, W, C), colour) of each row of a block."""
    rows = [("normal", sample["real"], NORMAL)]
    near = sample.get("near")
    if near in sample["anomalies"]:
        rows.append(("near", sample["anomalies"][near], NEAR))
    return rows + [(label("fakes", kind), x, FAKE) for kind, x in sample["fakes"].items()]


def _title(data, sample: dict[str, Any], several: bool, letters: int) -> str:
    where = f"{name(data, sample['dataset'])}: " if several else ""
    near = sample.get("near")
    close = f" (near: {name(data, near)})" if near in sample["anomalies"] else ""
    return fill(where + name(data, sample["normal"]) + close, letters, break_on_hyphens=False)
