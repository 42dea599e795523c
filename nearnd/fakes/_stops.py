"""Which snapshot of a generator the fakes come from (FITYMI section 5). Reads no anomaly."""

from __future__ import annotations

import logging

import numpy as np

log = logging.getLogger("nearnd")


def choose(rows: list[dict], stop: dict, measure: str = "frechet") -> dict:
    """The row of the fidelity table at which to stop.

    rows   dicts with "step" and `measure`, in order of training
    stop   one of {"fid": x}, {"factor": x}, {"window": [low, high]}, {"step": n}
    Raises ValueError if no snapshot will do.
    """
    steps = [row["step"] for row in rows]
    (rule, value), *_ = stop.items()
    if rule == "step":
        if value not in steps:
            raise ValueError(f"stop: step {value} has no snapshot; there are {steps}")
        return rows[steps.index(value)]

    distance = np.array([row[measure] for row in rows], float)  # (S,)
    listed = ", ".join(f"{s}: {d:.4g}" for s, d in zip(steps, distance, strict=True))
    if rule == "window":
        low, high = value
        inside = np.flatnonzero((distance >= low) & (distance <= high))
        if len(inside):
            return rows[inside[0]]
        # how far outside, as a ratio: distances fall by orders of magnitude in training
        safe = np.maximum(distance, 1e-12)
        outside = np.maximum(np.log(max(low, 1e-12) / safe), np.log(safe / max(high, 1e-12)))
        log.warning(f"no snapshot has {measure} in {value}, taking the nearest of: {listed}")
        return rows[int(outside.argmin())]

    limit = value if rule == "fid" else value * np.nanmin(distance)
    reached = np.flatnonzero(distance <= limit)
    if not len(reached):
        raise ValueError(
            f"stop: no snapshot reached {measure} {limit:.4g} ({rule}: {value}); step: {measure} is"
            f" {listed}. Train longer (generators: steps) or raise the limit (fakes: stop)"
        )
    return rows[reached[0]]
