"""What the generator draws as training goes on (FITYMI appendix fig. 9 to 12)."""

import numpy as np
from matplotlib.figure import Figure

from nearnd.tables_figures._mosaic import MIDDLE, bare, show_row
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import FAKE, WIDTH, styled

MAKES = "figure"
READS = ["samples"]


@styled
def build(data, /, images: int = 1, columns: int = 10):
    """`images` rows per class: the same seed drawn from snapshot after snapshot, left to right (at
    most `columns` of them, evenly chosen), and a real image at the right in a green frame."""
    samples = [sample for sample in data["samples"] if len(sample.get("previews", ()))]
    if not samples:
        raise ValueError("no sample has previews; snapshots must be kept to draw a progression")
    datasets = [sample["dataset"] for sample in samples]
    most = max(len(sample["steps"]) for sample in samples)
    across = min(columns, most)
    rows, words = [], []
    for sample in samples:
        count = min(images, np.asarray(sample["previews"]).shape[1], len(sample["real"]))
        rows += [(sample, i) for i in range(count)]
        word = of(data, sample["dataset"], datasets) + name(data, sample["normal"])
        words += [word, *[""] * (count - 1)][:count]
    margin = 0.2 + 0.085 * max(map(len, words))  # inches, for the words
    wide = across + 1.15  # cells: a gap before the real image
    cell = min(0.62, (WIDTH - margin) / wide)
    figure = Figure((cell * wide + margin, cell * len(rows) + 0.75), layout="constrained")
    ax = figure.subplots()
    ax.set_anchor("E")  # what is left over goes to the words
    for row, (sample, i) in enumerate(rows):
        chosen = _chosen(len(sample["steps"]), across)
        show_row(ax, row, np.asarray(sample["previews"])[chosen, i])
        show_row(ax, row, sample["real"][i : i + 1], across + 0.15, frame=FAKE)
    bare(ax, words, wide)
    if len({tuple(sample["steps"]) for sample in samples}) == 1:
        steps = np.asarray(samples[0]["steps"])[_chosen(most, across)]
        ticks = [i + MIDDLE for i in range(len(steps))]
        ax.xaxis.tick_top()
        ax.set_xticks([*ticks, across + 0.62], [*map(_short, steps), "real"])
        ax.set_xlabel("training step")
        ax.xaxis.set_label_position("top")
    else:
        ax.set_xlabel("first to last snapshot, real")
    return figure


def _chosen(snapshots: int, columns: int) -> np.ndarray:
    """At most `columns` snapshot indices from first to last, evenly spaced."""
    return np.unique(np.linspace(0, snapshots - 1, min(columns, snapshots)).round().astype(int))


def _short(step: int) -> str:
    """1200 -> 1.2k: ten of these must fit above ten images."""
    return f"{step / 1000:.3g}k" if step >= 1000 else str(int(step))
