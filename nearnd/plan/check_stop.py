"""Whether the end of a generator's training and the stop of fakes can be, and mean anything."""

import math
from typing import Any

from nearnd import plugins
from nearnd.config import constant, lookup
from nearnd.jobs import early_end
from nearnd.jobs.monitor import LEAST
from nearnd.plan.dataset_sizes import Counts, options
from nearnd.plan.run import Run


def check_until(config: dict[str, Any], name: str) -> None:
    """That a generator's training can end so: by a measure of its monitor."""
    where, entry = f"generators: {name}", config["generators"][name]
    until = entry.get("until")
    if until is None:
        return
    try:
        early_end.check_until(until)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    _measured(config, name, until, until.get("measure"), f"{where}: until")


def check_fakes(run: Run, experiment: str, name: str) -> None:
    """That fakes are of the size of the normal images, that their generator's training comes to
    where they stop, and that the distances which are read are of enough images."""
    config, entry = run.config, run.config["fakes"][name]
    dataset = config["experiments"][experiment]["dataset"]
    if "dataset" in entry:
        sizes = [options(config, "datasets", d).get("size") for d in (entry["dataset"], dataset)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"fakes: {name}: images of {entry['dataset']} have {sizes[0]} pixels a side, those"
                f" of {dataset} {sizes[1]}; give both the same `size` (datasets)"
            )
    generator, stop = entry.get("generator"), entry.get("stop")
    if generator is None or not isinstance(stop, dict):
        return
    where, until = f"fakes: {name}: stop", config["generators"][generator].get("until") or {}
    _measured(config, generator, stop, entry.get("measure"), where)
    for step in _steps(stop):
        if step > until.get("step", math.inf):
            raise ValueError(
                f"{where} step is {step}, but the training of {generator} ends at step"
                f" {until['step']} (generators: {generator}: until); raise that, or take an earlier"
                " snapshot"
            )
        check_snapshot(config, generator, step, where)
    rules = [(where, stop, entry.get("measure"))]
    rules += [(f"generators: {generator}: until", until, until.get("measure"))] if until else []
    for where, rule, measure in rules:
        if "step" not in rule and plugins.constant("fidelity", measure, "SINGULAR", False):
            _check_images(run, experiment, generator, measure, where)


def check_snapshot(config: dict[str, Any], generator: str, step: int, where: str) -> None:
    """That a generator has a snapshot of that step, where its kind says which it has."""
    there = plugins.call("generators", options(config, "generators", generator), "snapshots")
    if there and step not in there:
        raise ValueError(
            f"{where} step is {step}, of which {generator} has no snapshot; it has"
            f" {', '.join(map(str, there))} (generators: {generator}: snapshots)"
        )


def _steps(stop: dict[str, Any]) -> list[int]:
    steps = stop.get("step", [])
    return steps if isinstance(steps, list) else [steps]


def _measured(config, generator: str, rule: dict[str, Any], measure: Any, where: str) -> None:
    """That a generator's monitor measures what a rule reads."""
    monitor = lookup(config, "monitors", config["generators"][generator]["monitor"], where)
    if "step" not in rule and measure not in monitor["measures"]:
        raise plugins.unknown("measure", measure, monitor["measures"], where)


def _check_images(run: Run, experiment: str, generator: str, measure: str, where: str) -> None:
    """That each snapshot is measured with more images than features, where both are known."""
    monitor, counts = run.monitor(generator), Counts(run.config)
    features = width(run.config, monitor["detector"])
    dataset = run.config["experiments"][experiment]["dataset"]
    if features is None or not counts.size(dataset).known:
        return
    for normal in run.normals(experiment):
        real = math.ceil(counts.normal(dataset, normal))
        most = min(real, monitor.get("images", real))
        if (sure := min(most, monitor.get("least", LEAST))) > features:
            continue
        others = [
            m for m in monitor["measures"]
            if plugins.constant("fidelity", m, "DISTANCE", False)
            and not plugins.constant("fidelity", m, "SINGULAR", False)
        ]  # fmt: skip
        enough = f"least (and images) to {features + 1}"
        more = enough if real > features else "a detector of fewer features"
        raise ValueError(
            f"{where} reads {measure} in {features} features of {monitor['detector']}, which says"
            f" nothing without more images than features: {dataset} has about {real} for normal"
            f" {normal}, of which a snapshot is sure to be measured with {sure}. Set {more}"
            f" (monitors: {run.config['generators'][generator]['monitor']}), measure:"
            f" {' or '.join(others) or 'another'} with a stop in its units, or stop at a step"
        )


def width(config: dict[str, Any], detector: str) -> int | None:
    """How many features an image has, if the kinds of the detector and its backbone say so."""
    own = constant(config, "detectors", detector, "FEATURES")
    backbone = config["detectors"][detector].get("backbone")
    if own or backbone is None:
        return own
    return plugins.call("backbones", options(config, "backbones", backbone), "features")
