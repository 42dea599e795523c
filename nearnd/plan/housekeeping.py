"""What a results folder keeps, how large it is, and which half-done work nobody needs any more."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

STAGES = {
    "archives": "records of fetched files, and the files",
    "images": "decoded images",
    "backbones": "pretrained networks",
    "generators": "snapshots: averaged weights only, in float32",
    "cache": "features of real images, shared by the jobs that measure snapshots",
    "samplers": "comparisons of samplers",
    "fakes": "one array of images each",
    "detectors": "trained detectors",
    "features": "embedded images",
    "banks": "features of the normal training images",
    "scores": "a score for each image",
    "closeness": "how near each anomaly class is to each normal one: shares of a classifier",
    "metrics": "metrics of each task",
    "tables": "tables",
    "figures": "figures",
    "logs": "logs",
    "benchmarks": "times and memory of jobs",
    "state": "half-done work: from here killed jobs go on",
}  # in the order of the pipeline


class State(NamedTuple):
    """A job's folder of half-done work."""

    folder: Path
    job: str  # "generator digits/3/digits_ve/0"
    done: bool  # its outputs are there: the state can go


def size(*places: Path) -> int:
    """Bytes in all files below; one that has several names (hard links) counts once."""
    seen, total = set(), 0
    for place in places:
        for folder, _, names in os.walk(place):
            for name in names:
                stat = os.lstat(os.path.join(folder, name))
                if (stat.st_dev, stat.st_ino) not in seen:
                    seen.add((stat.st_dev, stat.st_ino))
                    total += stat.st_size
    return total


def sizes(results: Path) -> list[tuple[str, int, int, str]]:
    """(stage, files, bytes, what it is) of each folder in `results`, in the pipeline's order.

    Snapshots are links to the files in a generator's state: they count as the generator's.
    """
    here = {place.name for place in results.iterdir() if place.is_dir()} if results.is_dir() else {}
    rows = []
    for stage in [name for name in STAGES if name in here] + sorted(set(here) - set(STAGES)):
        place = results / stage
        files = sum(len(names) for _, _, names in os.walk(place))
        taken = size(place)
        if stage == "state":
            others = [results / name for name in here if name != stage]
            taken = size(*others, place) - size(*others)
        rows.append((stage, files, taken, STAGES.get(stage, "")))
    return rows


def states(results: Path, outputs: dict[str, list[str]]) -> list[State]:
    """The state folders, and whether the jobs that left them are done.

    outputs: {rule: the paths of its outputs below `results`, with {wildcards}}.
    """
    found = []
    for rule, patterns in outputs.items():
        names = wildcards(patterns)
        for folder in sorted((results / "state" / rule).glob("/".join("*" * (len(names) + 1)))):
            values = folder.relative_to(results / "state" / rule).parts[:-1]
            made = [p.format(**dict(zip(names, values, strict=True))) for p in patterns]
            done = all((results / path).exists() for path in made)
            found.append(State(folder, f"{rule} {'/'.join(values)}", done))
    return found


def wildcards(patterns: Iterable[str]) -> list[str]:
    """Names in braces, in the order in which they first stand there."""
    names = [part.split("}")[0] for p in patterns for part in p.split("{")[1:]]
    return list(dict.fromkeys(names))


def text_of_sizes(results: Path) -> str:
    """The sizes, to print."""
    rows = sizes(results)
    rows.append(("all", sum(r[1] for r in rows), size(results), ""))
    table = [(stage, files, _mb(taken), about) for stage, files, taken, about in rows]
    return tabulate(table, ["stage", "files", "MB", "what it is"], "simple", disable_numparse=True,
                    colalign=["left", "right", "right", "left"])  # fmt: skip


def clean(results: Path, outputs: dict[str, list[str]]) -> str:
    """Removes the states of jobs that are done: of generators that ended early (`until`), which
    with a later end would then begin anew. Says what was removed and what is kept, and why."""
    lines, freed = [], 0
    for state in states(results, outputs):
        taken, before = size(state.folder), size(results)
        if state.done:
            shutil.rmtree(state.folder)
            freed += before - size(results)
        words = "removed" if state.done else "kept (unfinished: it goes on from here)"
        if state.done and state.job.startswith("generator "):
            words = "removed (ended early: a later `until` trains it from the start)"
        lines.append(f"{words}: {state.job}, {_mb(taken)} MB")
    lines.append(f"{_mb(freed)} MB freed; snapshots are results and stay")
    return "\n".join(lines)


def _mb(taken: int) -> str:
    return f"{taken / 1e6:.1f}"
