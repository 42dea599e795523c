"""Normal images, images of the closest anomaly class, and fakes (FITYMI appendix fig. 4 and 5)."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.tables_figures._mosaic import bare, show_row
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import FAKE, NEAR, NORMAL, WIDTH, panels, styled

MAKES = "figure"
READS = ["samples"]


def build(columns: int = 8) -> Drawing:
    """A block per class, with a row of normal images, one of the closest anomaly class, one of
    fakes; `columns` images each."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        samples = data["samples"]
        across = 1 if len(samples) == 1 else 2
        lines = -(-len(samples) // across)
        image = (WIDTH / across - 1.0) / columns  # inches; the rest is for the words on the left
        figure, axes = panels(lines, across, 3 * image + 0.3, width=WIDTH)
        several = len({sample["dataset"] for sample in samples}) > 1
        for sample, ax in zip(samples, axes.flat, strict=False):
            rows = [("normal", sample["real"], NORMAL), ("fakes", sample["fakes"], FAKE)]
            near = sample.get("near")
            if near is not None and near in sample["anomalies"]:
                rows.insert(1, (name(data, near), sample["anomalies"][near], NEAR))
            for i, (_, images, _) in enumerate(rows):
                show_row(ax, i, images[:columns])
            bare(ax, len(rows), columns)
            ax.set_yticks([i + 0.47 for i in range(len(rows))], [words for words, _, _ in rows])
            for tick, (_, _, colour) in zip(ax.get_yticklabels(), rows, strict=True):
                tick.set_color(colour)
            where = f"{name(data, sample['dataset'])}: " if several else ""
            ax.set_title(where + name(data, sample["normal"]), fontweight="bold", pad=3)
        for ax in axes.flat[len(samples) :]:
            ax.set_visible(False)
        return figure

    return draw
