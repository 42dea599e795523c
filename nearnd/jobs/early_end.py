"""When the training of a generator may end (its `until`), and which snapshot fakes come from (their
`stop`; FITYMI section 5). Reads no anomaly.

A rule reads the fidelity table from its beginning to the row that settles it, and nothing after:
the choice is the same however far the training went on.
"""

import logging
from typing import Any

import numpy as np

HALVED = {"factor": 2}  # patience alone: else a plateau before anything is learnt would end it

log = logging.getLogger("nearnd")


def check_stop(stop: dict) -> None:
    """ValueError if it is none of the rules of `choose`, with values that it can have."""
    one = "a number that is not negative"
    good = {"fid": one, "factor": one, "step": f"{one}, or a rising list of them",
            "window": "two rising numbers"}  # fmt: skip
    if not (isinstance(stop, dict) and len(stop) == 1 and set(stop) <= set(good)):
        raise ValueError(f"stop is {stop}; it may be one of {', '.join(good)}")
    ((rule, value),) = stop.items()
    values = value if isinstance(value, list) else [value]
    numbers = all(isinstance(v, int | float) and v >= 0 for v in values)
    many = {"window": len(values) == 2, "step": len(values) > 0}
    fits = many.get(rule, not isinstance(value, list))
    if not fits or not numbers or values != sorted(set(values)):
        raise ValueError(f"stop {rule} is {value}; it may be {good[rule]}")


def check_measure(rule: dict, measure: Any, who: str) -> None:
    """ValueError if a rule that reads a distance does not say which."""
    if "step" not in rule and not isinstance(measure, str):
        raise ValueError(
            f"{who} is {rule}, but the entry does not say of which distance: add `measure`, one of"
            " those that the generator's monitor has (monitors: measures)"
        )


def check_until(until: dict) -> None:
    """ValueError if a training cannot end so: {"fid": 40}, {"window": [30, 50]}, {"step": 300},
    {"factor": 5, "patience": 6} or {"patience": 6}, each but `step` with the `measure` it reads."""
    rule = {key: v for key, v in until.items() if key not in ("measure", "patience")}
    patience = until.get("patience")
    good = isinstance(patience, int) and not isinstance(patience, bool) and patience >= 2
    if rule.keys() <= {"factor"}:
        if not good:
            raise ValueError(
                f"until is {until}; it may be one of fid, window, step, or patience: a number of"
                " snapshots from 2 on, with factor or without"
            )
    elif "patience" in until:
        raise ValueError(f"until is {until}; patience goes with factor, or stands alone")
    try:
        check_stop(rule or HALVED)
        if isinstance(rule.get("step"), list):
            raise ValueError(f"stop step is {rule['step']}; it may be a number")
    except ValueError as error:
        raise ValueError(str(error).replace("stop", "until", 1)) from None
    check_measure(until, until.get("measure"), "until")


def ended(rows: list[dict], until: dict | None) -> bool:
    """Whether training may end after the last row of the fidelity table; never without a rule.

    By the rules of `enough`. {"patience": n} alone: where the run has converged, at less than half
    its first distance.
    """
    if until is None:
        return False
    rule = {key: v for key, v in until.items() if key not in ("measure", "patience")}
    return enough(rows, rule or HALVED, until.get("measure"), until.get("patience"))


def enough(
    rows: list[dict], stop: dict, measure: str | None = None, patience: int | None = None
) -> bool:
    """Whether the rows settle what `choose` takes.

    step      at that step, or the last of several
    fid       at the first distance at or below the limit
    window    at the first distance at or below the upper edge: inside, or the window was passed
    factor    needs the best distance of a converged run, so never before the end of the training;
              with `patience`, where the run has converged (see `converged`)
    """
    (rule, value), *_ = stop.items()
    if not rows:
        return False
    if rule == "step":
        return rows[-1]["step"] >= max(value if isinstance(value, list) else [value])
    distance = _distances(rows, measure)  # (S,)
    if rule == "factor":
        if patience is None or not converged(distance, patience):
            return False
        return bool(distance[0] > value * distance.min())  # else nothing has been learnt yet
    return bool(distance.min() <= (value[1] if rule == "window" else value))


def each(stop: dict) -> list[dict]:
    """The stops of single snapshots: {"step": [a, b]} stands for two."""
    steps = stop.get("step")
    return [{"step": step} for step in steps] if isinstance(steps, list) else [stop]


def converged(distance: np.ndarray, patience: int) -> bool:
    """Whether the last `patience` distances are not below the `patience` ones before them by more
    than their noise.

    Means are compared. Their noise is one standard error, from the differences of neighbours,
    which a steady fall does not make larger. The snapshots must not lie closer and closer.
    """
    if len(distance) < 2 * patience:
        return False
    last = distance[-2 * patience :]  # (2 patience,)
    before, after = last.reshape(2, patience).mean(1)
    noise = np.diff(last).std(ddof=1) / np.sqrt(2)  # of one distance
    return bool(before - after <= noise * np.sqrt(2 / patience))


def settled(
    rows: list[dict], stop: dict, measure: str | None = None, patience: int | None = None
) -> list[dict]:
    """The rows up to the one that settles the stop; all of them if none does."""
    for end in range(1, len(rows)):
        if enough(rows[:end], stop, measure, patience):
            return rows[:end]
    return rows


def choose(
    rows: list[dict], stop: dict, measure: str | None = None, patience: int | None = None
) -> dict:
    """The row of the fidelity table at which to stop.

    rows      dicts with "step" and `measure`, in order of training
    stop      one of {"fid": x}, {"factor": x}, {"window": [low, high]}, {"step": n}
    measure   the distance that is read, None for `step`; a `remark` of the table about it becomes
              a warning
    patience  see `enough`
    Raises ValueError if no snapshot will do.
    """
    (rule, value), *_ = stop.items()
    if rule == "step":
        steps = [row["step"] for row in rows]
        if value not in steps:
            raise ValueError(f"stop: step {value} has no snapshot; there are {steps}")
        return rows[steps.index(value)]

    rows = settled(rows, stop, measure, patience)
    distance = _distances(rows, measure)  # (S,)
    listed = ", ".join(f"{r['step']}: {d:.4g}" for r, d in zip(rows, distance, strict=True))
    row = rows[_index(distance, rule, value, measure, listed)]
    log.info(f"stop {rule}: {value} on {measure}: step {row['step']} of {listed}")
    if f"{measure}:" in (remark := row.get("remark") or ""):
        log.warning(
            f"stop {rule}: {value} compares a {measure} of which the fidelity table says: {remark}."
            " KID has no such limit: measure: kid in the fakes entry, with a stop in its units"
        )
    return row


def _index(distance: np.ndarray, rule: str, value, measure: str, listed: str) -> int:
    if rule == "window":
        low, high = value
        inside = np.flatnonzero((distance >= low) & (distance <= high))
        if len(inside):
            return int(inside[0])
        # how far outside, as a ratio: distances fall by orders of magnitude in training
        safe = np.maximum(distance, 1e-12)
        outside = np.maximum(np.log(max(low, 1e-12) / safe), np.log(safe / max(high, 1e-12)))
        log.warning(f"no snapshot has {measure} in {value}, taking the nearest of: {listed}")
        return int(outside.argmin())

    if rule == "factor" and distance.min() <= 0:
        raise ValueError(
            f"stop: factor {value} needs a best {measure} above 0, it is {distance.min():.4g}; an"
            " unbiased distance may be 0 or less: use fid, window or step (fakes: stop)"
        )
    limit = value if rule == "fid" else value * distance.min()
    reached = np.flatnonzero(distance <= limit)
    if not len(reached):
        raise ValueError(
            f"stop: no snapshot reached {measure} {limit:.4g} ({rule}: {value}); step: {measure} is"
            f" {listed}. Train longer (generators: steps, until) or raise the limit (fakes: stop)"
        )
    return int(reached[0])


def _distances(rows: list[dict], measure: str) -> np.ndarray:
    """The distances of all rows (S,)."""
    if measure not in rows[0]:
        raise ValueError(
            f"fakes: measure is {measure!r}, which the generator's monitor does not measure; add it"
            " to its measures in monitors"
        )
    return np.array([row[measure] for row in rows], float)
