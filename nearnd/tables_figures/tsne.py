"""Features on a plane: where a detector puts anomalies and changed images (UNODE fig. 5)."""

import re

import numpy as np

from nearnd.jobs.tsne import laid_out
from nearnd.report.evaluate import SLICE
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import COLOURS, FAR, NORMAL, legend, panels, styled

MAKES = "figure"
READS = ["features"]
ACROSS = 3  # panels in a row
OWN = "normal"


@styled
def build(
    data, /, methods: list[str] | None = None, most: int = 200, only: list[str] | None = None
):
    """A panel for each dataset and method, of the first normal class and seed: at most `most` test
    images of each group, laid out by t-SNE (van der Maaten & Hinton, 2008) so that neighbours in
    feature space stay neighbours; distances between groups mean little. Groups are the normal
    images, all anomalies, the images of other test sets, and of a changed copy (corrupted, or
    augmented) the normal images under each corruption, or those in `only`."""
    sets = [each for each in data["features"] if methods is None or each["method"] in methods]
    if not sets:
        there = list(dict.fromkeys(each["method"] for each in data["features"]))
        raise ValueError(f"none of the methods {methods} has features; {there} have some")
    found: dict[tuple[str, str], dict[str, list[np.ndarray]]] = {}
    for each in sets:
        panel = found.setdefault((each["dataset"], each["method"]), {})
        for word, features in _groups(data, each, only):
            panel.setdefault(word, []).append(features)
    datasets = [dataset for dataset, _ in found]
    columns = min(len(found), ACROSS)
    figure, axes = panels(len(found), columns, 2.3, 0.3, width=max(3.4, 2.3 * columns))
    words = dict.fromkeys(word for panel in found.values() for word in panel)
    colours = {OWN: NORMAL, "anomalies": FAR}
    others = [c for c in COLOURS if c != NORMAL]
    for i, word in enumerate(word for word in words if word not in colours):
        colours[word] = others[i % len(others)]
    for ((dataset, method), panel), ax in zip(found.items(), axes, strict=True):
        groups = {word: _some(np.concatenate(parts), most) for word, parts in panel.items()}
        points = laid_out(np.concatenate(list(groups.values())), 2)
        ends = np.cumsum([len(rows) for rows in groups.values()])[:-1]
        for word, rows in zip(groups, np.split(points, ends), strict=True):
            ax.plot(rows[:, 0], rows[:, 1], ".", color=colours[word], markersize=4,
                    alpha=0.7, label=word)  # fmt: skip
        ax.set_title(of(data, dataset, datasets) + name(data, method), fontsize=8)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_aspect("equal", "datalim")
    figure.supxlabel("t-SNE, first direction", fontsize=8)
    figure.supylabel("second direction", fontsize=8)
    legend(figure, axes, "upper")
    return figure


def _groups(data: dict, each: dict, only: list[str] | None):
    """(word, features) of each group of a test set."""
    features, anomalous, test = each["features"], each["is_anomaly"], each["test"]
    if test in data.get("copies", ()):
        changes = [re.match(SLICE, str(id)) for id in each["id"]]
        changes = np.array([change[1] if change else name(data, test) for change in changes])
        for change in dict.fromkeys(changes[~anomalous]):
            if only is None or change in only:
                yield change.replace("_", " "), features[~anomalous & (changes == change)]
    elif anomalous.all():
        yield name(data, test.removesuffix(".test")), features
    else:
        yield OWN, features[~anomalous]
        yield "anomalies", features[anomalous]


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the rows, evenly picked."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
