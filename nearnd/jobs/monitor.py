"""Watches a generator: at each snapshot draws images, measures them, and says when to stop."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd.contracts import Embedding, Fidelity, Plan, Progress, silent
from nearnd.files.arrays import save_array, save_json
from nearnd.files.snapshots import snapshots
from nearnd.jobs.early_end import ended
from nearnd.jobs.seeds import image_seeds

PREVIEWS = 16  # images kept of each snapshot
SHARE = 0.12  # of the training that sampling may cost; monitoring is 15 % with features, measures
LEAST = 32  # images; KID then tells 50, 100 and 300 steps on digits apart (2.2, 0.7, 0.09 +- 0.1)

log = logging.getLogger("nearnd")


def images_within(
    plan: Plan, real: int, *, images: int | None = None, share: float = SHARE,
    least: int = LEAST, **_,
) -> int:  # fmt: skip
    """How many images to draw at each snapshot: as many as there are real ones (or `images`), but
    no more than the share allows.

    At every snapshot, all sampling so far is at most `share` of all training so far, wherever
    training will end. Both are counted in forward passes (a step of training takes three for each
    image of its batch), not in seconds: the number is the same on every machine and after a kill.
    Below `least` the measures would say nothing: then `least`, and a warning.
    """
    most = images or real
    if not plan.batch or not plan.snapshots:
        return most
    steps = min(step / count for count, step in enumerate(plan.snapshots, 1))  # for one snapshot
    n = int(share * 3 * plan.batch * steps / plan.calls)
    least = min(least, most)
    if n < least:
        cost = least * plan.calls / (3 * plan.batch * steps)
        log.warning(
            f"monitoring may cost {cost:.0%} of the training, above the share of {share:.0%}:"
            f" {least} images at a snapshot, of {plan.calls:g} network calls each. Take fewer or"
            " later snapshots or a cheaper sampler (generators), or change share (monitors)"
        )
    return min(most, max(n, least))


def facts_of(generator: Any, pixels: np.ndarray) -> Callable[[Path, int], dict[str, float]]:
    """Of a snapshot and the first n training images, what a generator itself says; mostly {}."""
    if not hasattr(generator, "facts"):
        return lambda file, n: {}
    return lambda file, n: generator.facts(file, pixels[:n])


class Monitor:
    """monitor(step, file) after each snapshot; what it found survives a kill in `folder`.

    Every snapshot draws the same number of images from the same seeds: distances depend on the
    numbers of images, so they stand beside each distance.
    """

    def __init__(
        self,
        real: np.ndarray,
        sample: Callable[[Path, np.ndarray], np.ndarray],
        embed: Callable[[np.ndarray], Embedding],
        measures: dict[str, Fidelity],
        seed: int,
        folder: Path,
        *,
        images: int,
        until: dict | None = None,
        facts: Callable[[Path, int], dict[str, float]] = lambda file, n: {},
        progress: Progress = silent,
    ):
        """real: the features (N, D) of the real images. images: how many to draw. until: when
        training ends before its last step; see `early_end.ended`. facts: see `facts_of`, on as
        many training images as are drawn."""
        self.real, self.sample, self.embed, self.measures = real, sample, embed, measures
        self.facts = facts
        self.seeds, self.folder, self.until = image_seeds(seed, images), Path(folder), until
        self._progress, self._steps, self._since = progress, 0, time.monotonic()
        spent = self.folder / "spent.json"
        self.spent = json.loads(spent.read_text()) if spent.exists() else {}

    def progress(self, step: int, total: int, **values) -> None:
        """To be called after each step of training; counts them."""
        self._steps += 1
        self._progress(step, total, **values)

    def __call__(self, step: int, file: Path) -> bool:
        """Whether training may end here."""
        began = time.monotonic()
        if not (self.folder / f"fidelity{step:07d}.json").exists():
            self._measure(step, file)
        enough = ended(self.rows(), self.until)
        now = time.monotonic()
        training = began - self._since if self._steps else 0.0
        new = {"steps": self._steps, "training": training, "monitoring": now - began}
        self.spent = {key: self.spent.get(key, 0) + value for key, value in new.items()}
        save_json(self.folder / "spent.json", self.spent)
        self._steps, self._since = 0, now
        return enough

    def _measure(self, step: int, file: Path) -> None:
        fakes = self.sample(file, self.seeds)  # (n, H, W, C)
        features = self.embed(fakes)["features"]  # (n, D)
        facts = {"step": step, "n_real": len(self.real), "n_fake": len(fakes)}
        facts |= {name: float(m(self.real, features)) for name, m in self.measures.items()}
        facts |= self.facts(file, len(self.seeds))
        log.info(", ".join(f"{name} {value:.4g}" for name, value in facts.items()))
        numbers = len(self.real), len(fakes), self.real.shape[1]
        remarks = {m: f.remark(*numbers) for m, f in self.measures.items() if hasattr(f, "remark")}
        facts["remark"] = "; ".join(f"{m}: {words}" for m, words in remarks.items() if words)
        if facts["remark"] and not self.rows():
            read = self.until and "step" not in self.until  # else it is for the table alone
            log.log(logging.WARNING if read else logging.INFO, facts["remark"])
        save_array(self.folder / f"previews{step:07d}.npy", fakes[:PREVIEWS])
        save_json(self.folder / f"fidelity{step:07d}.json", facts)

    def rows(self) -> list[dict]:
        """One dict for each snapshot: step, n_real, n_fake, the measures, and remarks on them."""
        return [json.loads(f.read_text()) for f in sorted(self.folder.glob("fidelity*.json"))]

    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame(self.rows())

    def previews(self) -> np.ndarray:
        """The first images of each snapshot, uint8 (S, n, H, W, C)."""
        files = sorted(self.folder.glob("previews*.npy"))
        return np.stack([np.load(file, allow_pickle=False) for file in files])

    def complete(self, plan: Plan) -> bool:
        """Whether training went to its end; says so, or how many steps `until` saved."""
        at = self.rows()[-1]["step"]
        log.info(
            f"trained to the end, step {at}"
            if at >= plan.steps
            else f"until {self.until}: ended at step {at}, {plan.steps - at} of {plan.steps} steps"
            " saved"
        )
        return at >= plan.steps

    def cost(self, plan: Plan, **facts) -> pd.DataFrame:
        """One row: steps, seconds and images per second; of a killed job up to its last snapshot.

        share: seconds of monitoring for one of training.
        """
        steps, training = self.spent["steps"], self.spent["training"]
        monitoring = self.spent["monitoring"]
        share = monitoring / training if training else float("nan")
        rate = steps * plan.batch / training if training else float("nan")
        log.info(
            f"training {training:.1f} s ({rate:.4g} images/s), monitoring {monitoring:.1f} s with"
            f" {len(self.seeds)} images at a snapshot: a share of {share:.0%}"
        )
        at = self.rows()[-1]["step"]
        return pd.DataFrame([{
            "stopped_at": at, "steps_asked": plan.steps, "steps_trained": steps,
            "training_s": training, "monitoring_s": monitoring, "share": share,
            "monitor_images": len(self.seeds), "images_per_s": rate, **facts,
        }])  # fmt: skip


def publish(folder: Path, target: str | Path) -> None:
    """Puts the snapshots into the output folder, as links where the file system allows."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    for file in snapshots(folder).values():
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copy2(file, target / file.name)
