"""What the generator draws as training goes on (FITYMI appendix fig. 9 to 12)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.tables_figures._mosaic import bare, show_row
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import FAKE, WIDTH, styled

MAKES = "figure"
READS = ["samples"]


def build(images: int = 1, columns: int = 10) -> Drawing:
    """`images` rows per class: the same seed drawn from snapshot after snapshot, left to right (at
    most `columns` of them, evenly chosen), and a real image at the right in a green frame."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        samples = [sample for sample in data["samples"] if len(sample.get("previews", ()))]
        if not samples:
            raise ValueError("no sample has previews; snapshots must be kept to draw a progression")
        most = max(len(sample["steps"]) for sample in samples)
        across = min(columns, most)
        rows = [(sample, i) for sample in samples for i in range(min(images, _count(sample)))]
        same = len({tuple(sample["steps"]) for sample in samples}) == 1
        several = len({sample["dataset"] for sample in samples}) > 1
        words = [_word(data, sample, several) if i == 0 else "" for sample, i in rows]
        margin = 0.2 + 0.085 * max(len(word) for word in words)  # inches, for the words
        cell = min(0.62, (WIDTH - margin) / (across + 1.15))
        size = (cell * (across + 1.15) + margin, cell * len(rows) + 0.75)
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        ax.set_anchor("E")  # what is left over goes to the words
        for row, (sample, i) in enumerate(rows):
            chosen = _chosen(len(sample["steps"]), across)
            show_row(ax, row, np.asarray(sample["previews"])[chosen, i])
            show_row(ax, row, sample["real"][i : i + 1], frame=FAKE, first=across + 0.15)
        bare(ax, len(rows), across + 1.15)
        ax.set_yticks([row + 0.47 for row in range(len(rows))], words)
        if same:
            steps = np.asarray(samples[0]["steps"])[_chosen(most, across)]
            heads = [_short(step) for step in steps]
            ax.xaxis.tick_top()
            ticks = [i + 0.47 for i in range(len(heads))]
            ax.set_xticks([*ticks, across + 0.62], [*heads, "real"])
            ax.set_xlabel("training step")
            ax.xaxis.set_label_position("top")
        else:
            ax.set_xlabel("first to last snapshot, real")
        return figure

    return draw


def _word(data, sample: dict[str, Any], several: bool) -> str:
    where = f"{name(data, sample['dataset'])}: " if several else ""
    return where + name(data, sample["normal"])


def _count(sample: dict[str, Any]) -> int:
    return min(np.asarray(sample["previews"]).shape[1], len(sample["real"]))


def _chosen(snapshots: int, columns: int) -> np.ndarray:
    """At most `columns` snapshot indices from first to last, evenly spaced."""
    return np.unique(np.linspace(0, snapshots - 1, min(columns, snapshots)).round().astype(int))


def _short(step: int) -> str:
    """1200 -> 1.2k: ten of these must fit above ten images."""
    return f"{step / 1000:.3g}k" if step >= 1000 else str(int(step))
