"""Fakes drawn from an early-stopped generator: FITYMI's near anomalies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nearnd.files.snapshots import snapshot
from nearnd.jobs.early_end import check_measure, check_stop, choose, each, settled
from nearnd.jobs.seeds import image_seeds

NEEDS = ["generator"]
TOY = {"stop": {"step": 8}}
LABEL = "fakes"


def check(stop: dict | None = None, measure: str | None = None, **rest) -> None:
    """See contracts.py."""
    if stop is None:
        raise ValueError("kind sampled needs a generator and a stop")
    check_stop(stop)
    check_measure(stop, measure, "stop")


@dataclass
class Sampled:
    """Draws from the snapshots that `stop` picks.

    `stop` defaults to the paper's rule of thumb, 5 times the distance of a converged run. A list
    of steps takes the same share from each: fakes from early and late in the training at once.
    `measure`: the distance that the stop reads, out of those of the generator's monitor; not for
    `step`. Each has units of its own.
    `levels`: "own" leaves the images as drawn (the paper); "matched" gives the set the normal
    images' distribution of grey levels, which closes a shortcut between real and fake.
    `patience`: for `factor`, which otherwise needs the whole run: it counts as converged when the
    distances of that many snapshots are not below those of as many before them, within their noise.
    """

    stop: dict | None = None
    measure: str | None = None
    levels: Literal["own", "matched"] = "own"
    patience: int | None = None

    way = "sample"  # what a generator does for these fakes: the name of its method

    def __post_init__(self):
        self.stop = self.stop or {"factor": 5}
        if self.patience is not None and (self.patience < 2 or "factor" not in self.stop):
            raise ValueError(
                f"sampled: patience is {self.patience}; it may be a number of snapshots from 2 on,"
                " with the stop factor, or null: the whole run"
            )

    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, sample, snapshots: str, fidelity: list[dict]
    ) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C) from the snapshot that `stop` picks, and its fidelity row.
        From several snapshots image for image in turn, and the mean of their rows.

        normal     the normal training images
        sample     (snapshot file, seeds) -> images
        snapshots  folder of step0000400.safetensors, ...
        fidelity   rows of the generator's fidelity table
        """
        return self.from_snapshots(
            n, seed, normal, snapshots, fidelity, lambda file, seeds, rows: sample(file, seeds)
        )

    def from_snapshots(
        self, n: int, seed: int, normal: np.ndarray, snapshots: str, fidelity: list[dict],
        make: Callable[[Path, np.ndarray, slice], np.ndarray],
    ) -> tuple[np.ndarray, dict]:  # fmt: skip
        """See `draw`; make(snapshot file, seeds, which of the n fakes they are) gives images."""
        how = self.measure, self.patience
        rows = [choose(fidelity, stop, *how) for stop in each(self.stop)]
        facts = _facts(rows)
        if "step" not in self.stop:
            best = float(min(r[self.measure] for r in settled(fidelity, self.stop, *how)))
            facts |= {"measure": self.measure, f"best_{self.measure}": best}
        fakes, seeds = None, image_seeds(seed, n)
        for i, row in enumerate(rows):
            file = snapshot(snapshots, int(row["step"]))
            turn = slice(i, None, len(rows))
            part = make(file, seeds[turn], turn)  # (n / rows, H, W, C)
            if fakes is None:
                fakes = np.empty((n, *part.shape[1:]), part.dtype)  # (n, H, W, C)
            fakes[turn] = part
        if self.levels == "matched":
            fakes = match_levels(fakes, normal)
        return fakes, facts


def _facts(rows: list[dict]) -> dict:
    """The row of one snapshot; of several the mean of each measure, and `steps`, a text."""
    rows = [{k: v for k, v in row.items() if k not in ("n_real", "n_fake")} for row in rows]
    if len(rows) == 1:
        return rows[0]
    facts = {"steps": ", ".join(str(int(row["step"])) for row in rows)}
    for key in (key for key in rows[0] if key not in ("step", "remark")):
        facts[key] = float(np.mean([row[key] for row in rows]))
    remarks = [row["remark"] for row in rows if isinstance(row.get("remark"), str)]  # else nan
    return facts | ({"remark": "; ".join(dict.fromkeys(remarks))} if remarks else {})


def match_levels(fakes: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The fakes, uint8 (n, H, W, C), with the normal images' distribution of grey levels per
    channel, so that levels cannot give the fakes away.

    One monotone map for the whole set (histogram matching; exact up to ties, which are broken in
    the order of the pixels): a level at quantile q among the fakes becomes the level at quantile q
    among the normal images (N, H, W, C). Shapes stay; a background that is never quite black, or a
    contrast that is never quite full, does not.
    """
    matched = np.empty_like(fakes)
    for channel in range(fakes.shape[-1]):
        values = fakes[..., channel].ravel()  # (n H W,)
        target = np.sort(normal[..., channel], axis=None)  # (N H W,)
        rank = np.empty(values.size, np.int64)
        rank[np.argsort(values, kind="stable")] = np.arange(values.size)
        new = target[rank * target.size // values.size]  # (n H W,)
        matched[..., channel] = new.reshape(fakes.shape[:-1])
    return matched


build = Sampled
