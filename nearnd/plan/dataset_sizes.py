"""How many images a dataset has, before it is decoded: for `snakemake estimate`.

As its kind states, or counted where the set was decoded already.
"""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nearnd import config as settings
from nearnd import plugins
from nearnd.files.paths import path
from nearnd.tasks import Normal

RESOURCES = Path(__file__).parents[2] / "resources"
UNKNOWN = 1000  # images of each split of a set of which nothing is known


class Size(NamedTuple):
    """A dataset: images of both splits, side, channels; whether the numbers are known."""

    train: int
    test: int
    side: int
    channels: int
    known: bool


def options(config: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    """What `build` gets of an entry, over the defaults of its kind."""
    entry = settings.arguments(config, section, name)
    return plugins.defaults(settings.STAGE.get(section, section), entry["kind"]) | entry


class Counts:
    """The image sets of one config."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.guessed: set[str] = set()  # sets whose number of images is not known
        self.size, self.classes = cache(self._size), cache(self._classes)

    def _size(self, dataset: str) -> Size:
        """What is known of a dataset, and a guess of the rest."""
        spec, o = self.config["datasets"][dataset], options(self.config, "datasets", dataset)
        like = spec.get("of") or spec.get("dataset")
        clean = self.size(like) if like else None
        found = plugins.call("datasets", o | {"of": clean}, "count")
        found = found or plugins.constant("datasets", o["kind"], "IMAGES")
        if "fakes" in spec:
            share = self.config["fakes"][spec["fakes"]].get("ratio", 1)
            found = {"train": 0, "test": round(share * clean.train), "channels": clean.channels}
        known = found is not None and (clean is None or clean.known)
        if found is None:
            train, test, channels = UNKNOWN, UNKNOWN, 3
        else:
            train, test, channels = (found[key] for key in ("train", "test", "channels"))
        if o.get("mode"):
            channels = {"L": 1, "RGB": 3}[o["mode"]]
        if "only" in spec:
            every = {k: v for k, v in spec.items() if k != "only"}
            share = len(spec["only"]) / len(settings.classes({"datasets": {"x": every}}, "x"))
            train, test = round(train * share), round(test * share)
        if "most" in spec:
            train = min(train, spec["most"] * self.classes(dataset))
        test = min(test, spec.get("tested", test))
        counts = [_rows(dataset, split) for split in ("train", "test")]
        if None not in counts:
            (train, test), known = counts, True
        if not known:
            self.guessed.add(dataset)
        side = o.get("size", clean.side if clean else 8)
        return Size(train, test, side, channels, known)

    def _classes(self, dataset: str) -> int:
        """How many classes have training images."""
        entry = settings.arguments(self.config, "datasets", dataset)
        trained = plugins.call("datasets", entry, "trained")
        return len(trained or settings.classes(self.config, dataset))

    def normal(self, dataset: str, normal: str) -> float:
        """Training images of a normal: the mean over classes."""
        n, k = self.size(dataset).train, self.classes(dataset)
        return n * Normal.parse(normal).count(k) / k


def _rows(dataset: str, split: str) -> int | None:
    """Images that were decoded, None if they were not."""
    file = Path(path("images", dataset=dataset, split=split)).with_suffix(".csv")
    return sum(1 for _ in file.open("rb")) - 1 if file.is_file() else None
