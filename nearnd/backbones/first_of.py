"""The first of several backbones whose weights can be had: a good network where a hub or a mirror
answers, and elsewhere one that a Python index has.

It is found out by the job, which says which one it took and why, and stays chosen until its file is
deleted. Features of different networks are not comparable: results that others shall repeat name
one backbone.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearnd import plugins
from nearnd.backbones.timm import Timm
from nearnd.files.fetch import AbsentError

TOY = {"of": [{"kind": "timm", "model": "test_vit", "weights": "none"}]}
HURRY = {"timeout": 4.0, "attempts": 2}  # of all but the last: where nothing answers, 9 seconds
log = logging.getLogger("nearnd")


def check(*, of: list[dict]) -> None:
    """See contracts.py."""
    FirstOf(of)


def seeded(*, of: list[dict]) -> bool:
    """See contracts.py."""
    return any(_stated(of, "seeded"))


def work(about, *, of: list[dict]) -> dict | None:
    """See contracts.py: unknown where it depends on which one is taken."""
    return _same(_stated(of, "work", about=about))


def features(*, of: list[dict]) -> int | None:
    """See contracts.py: the same."""
    return _same(_stated(of, "features"))


def sees(*, of: list[dict]) -> int | None:
    """See contracts.py: the same."""
    return _same(_stated(of, "sees"))


def fetches(*, of: list[dict]) -> list[tuple[list[str], str]]:
    """See contracts.py: those of all."""
    return [choice for choices in _stated(of, "fetches") for choice in choices]


def _stated(of: list[dict], function: str, **more) -> Iterator[Any]:
    for entry in of:
        entry = plugins.defaults("backbones", entry["kind"]) | entry
        yield plugins.call("backbones", entry | more, function)


def _same(values: Iterator[Any]) -> Any:
    """The value if all are alike, else None."""
    first, *others = values
    return first if all(other == first for other in others) else None


@dataclass
class FirstOf:
    """Backbone (contracts.py): `of` are backbones in the order of preference, whose weights are
    `pretrained` or a link. A file that is there and is wrong is an error, and no reason to take the
    next one."""

    of: list[dict] = ()

    def __post_init__(self):
        self.backbones = [plugins.build("backbones", entry) for entry in self.of]
        if not self.of or not all(isinstance(backbone, Timm) for backbone in self.backbones):
            kinds = [entry["kind"] for entry in self.of]
            raise ValueError(
                f"of is {kinds}; it may be backbones of the kind timm, and of those built on it"
            )

    def make(self, images, classes, *, seed: int, folder: Path, progress) -> tuple[dict, dict]:
        """Weights and facts of the first one to be had; AbsentError with all reasons if none is."""
        reasons = []
        for backbone in self.backbones:
            last = backbone is self.backbones[-1]
            try:
                backbone.obtain(folder, progress, **{} if last else HURRY)
            except AbsentError as error:
                reasons.append(f"{backbone.model}: {error}")
                continue
            if reasons:
                log.info("\n".join(reasons))
                names = ", ".join(other.model for other in self.backbones[: len(reasons)])
                log.warning(
                    f"{backbone.model} is taken: {names} could not be had (why stands in the log,"
                    " results/logs/backbone)"
                )
            return backbone.make(images, classes, seed=seed, folder=folder, progress=progress)
        raise AbsentError("\n".join(reasons))


build = FirstOf
