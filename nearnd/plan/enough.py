"""How few normal images can be learnt from, before any work is done."""

import math
from pathlib import Path

from nearnd.report.conformal import Decision, fewest, steps

LEAST = 10, 2  # normal images to learn from, as `select` asks for 10 neighbours, and to hold out


def held(n: int) -> int:
    """How many of n images are held out where nothing else is said: a fifth."""
    return max(1, n - round(0.8 * n))


def enough(folder: Path, counts: dict[str, int]) -> None:
    """ValueError that says the least number and why, if there are fewer files of the normal class.

    counts: how many stand under train and test, or under "" where they are cut.
    """
    whole, (learn, out) = counts.get("", 0), LEAST
    least = next(n for n in range(1, 100) if n - held(n) >= learn and held(n) >= out)
    usual = next(n for n in range(1, 10_000) if held(n) >= fewest(Decision().alpha))
    why = (
        f"Of fewer than {learn} to learn from there are no {learn} neighbours to compare with, and"
        f" with fewer than {out} held out to say what is unusual nothing could be called anomalous"
        f" at fewer than {math.ceil(1000 * steps(out - 1)[0])} false alarms in 1,000; the usual"
        f" {Decision().alpha:g} take {usual} images, a fifth of which is held out"
    )
    if whole and whole < least:
        raise ValueError(f"{folder} has {whole} normal images, at least {least} are needed. {why}")
    for split, need in zip(("train", "test"), LEAST, strict=True):
        if not whole and counts.get(split, 0) < need:
            raise ValueError(
                f"{folder} has {counts.get(split, 0)} normal images in {split}/, at least {need}"
                f" are needed there. {why}"
            )
