"""Whether the parts of an experiment go together: tasks, methods, test sets, drawings."""

from typing import Any

from nearnd import plugins
from nearnd.config import (
    DEFAULTS,
    arguments,
    classes,
    constant,
    lookup,
    normals,
    with_sampler,
)
from nearnd.plan.check_stop import check_snapshot
from nearnd.plan.dataset_sizes import options
from nearnd.report.reads import has_map
from nearnd.tasks import Normal, TestSet


def check_split(config: dict[str, Any], dataset: str, split: str, where: str) -> None:
    """A dataset can be asked for the images that it has."""
    splits = constant(config, "datasets", dataset, "SPLITS", ["train", "test"])
    if split not in splits:
        raise ValueError(
            f"{where}: {dataset} has no {split} images, only {splits[0]} images;"
            + (" it can be the dataset of fakes (exposure)" if "train" in splits else "")
            + (f" it can stand in tests, as {dataset}.test" if "test" in splits else "")
        )


def _check_labels(config: dict[str, Any], experiment: str, method: str) -> None:
    """That a detector which learns classes gets more than one."""
    detector = config["methods"][method]["detector"]
    if "labels" not in constant(config, "detectors", detector, "NEEDS", []):
        return
    count = len(classes(config, config["experiments"][experiment]["dataset"]))
    for normal in normals(config, experiment):
        if Normal.parse(normal).count(count) < 2:
            raise ValueError(
                f"experiments: {experiment}: method {method} tells normal classes apart, but normal"
                f" {normal} is one class; use normals: all, each-not or {{known: 6, trials: 5}},"
                " with more classes"
            )


def _check_answers(config: dict[str, Any], experiment: str) -> None:
    """That each method has a metric, some of which ask for the class that an image is taken for."""
    entry = config["experiments"][experiment]
    for metric in (metrics := entry.get("metrics", DEFAULTS["metrics"])):
        built = plugins.build("metrics", arguments(config, "metrics", metric))
        if not plugins.taken(built, {"predicted": None}):
            return
    for method in entry["methods"]:
        if not constant(config, "detectors", config["methods"][method]["detector"], "PREDICTS"):
            raise ValueError(
                f"experiments: {experiment}: metrics {', '.join(metrics)} ask for the class that an"
                f" image is taken for, which method {method} does not say; add auroc to them, or"
                " leave the method out"
            )


def _check_samplers(config: dict[str, Any], where: str, spec: dict[str, Any]) -> None:
    """That each sampler of an experiment can draw from its generator."""
    generator = spec["generator"]
    lookup(config, "generators", generator, f"{where}: generator")
    if "step" in spec:
        check_snapshot(config, generator, spec["step"], where)
    for sampler in spec["compare"]:
        lookup(config, "samplers", sampler, f"{where}: compare")
        for _, entry in with_sampler(config, generator, sampler):
            plugins.check_entry("generators", generator, entry)
            try:
                plugins.call("generators", entry, "check")
            except ValueError as error:
                raise ValueError(f"samplers: {sampler}: {error}") from None


def check_united(config: dict[str, Any], name: str) -> None:
    """That an experiment unites ones with tasks of their own, and names each method's row once."""
    where, entry = f"experiments: {name}", config["experiments"][name]
    if "of" not in entry:
        return
    rows: dict[tuple[str, str], str] = {}
    for part in entry["of"]:
        spec = lookup(config, "experiments", part, f"{where}: of")
        if "of" in spec:
            raise ValueError(f"{where}: of: {part} unites others itself; name these")
        for method in spec["methods"]:
            row = lookup(config, "methods", method, f"experiments: {part}").get("row", method)
            other = rows.setdefault((spec["dataset"], row), method)
            if other != method:
                raise ValueError(
                    f"{where}: methods {other} and {method} of dataset {spec['dataset']} both fill"
                    f" the row {row}; give one of them another `row`"
                )
    for drawing in entry.get("drawings", []):
        lookup(config, "drawings", drawing, f"{where}: drawings")
        _check_drawing(config, where, drawing, [config["experiments"][p] for p in entry["of"]])


def _check_drawing(config: dict[str, Any], where: str, drawing: str, parts: list[dict]) -> None:
    """That the experiments behind a drawing have what it shows."""
    reads = constant(config, "drawings", drawing, "READS", [])
    methods = [method for part in parts for method in part["methods"]]
    tests = ["test", *(test for part in parts for test in part.get("tests", []))]
    rows = [config["methods"][m].get("row", m) for m in methods if m in config["methods"]]
    there = {"far": tests, "near": tests, "test": tests}
    there |= {key: [*methods, *rows] for key in ("methods", "method", "reference")}
    for key, known in there.items():
        asked = config["drawings"][drawing].get(key) or []
        for name in [asked] if isinstance(asked, str) else asked:
            if name not in known:
                raise plugins.unknown(key, name, dict.fromkeys(known), f"{where}: {drawing}")
    if "samplers" in reads and not any("samplers" in part for part in parts):
        raise ValueError(f"{where}: drawing {drawing} shows samplers, of which it has none")
    if "samplers" not in reads and not methods and parts:  # a paper's table may be all dashes
        raise ValueError(f"{where}: drawing {drawing} shows methods, of which it has none")
    if "maps" in reads and not any(has_map(config, method) for method in methods):
        raise ValueError(
            f"{where}: drawing {drawing} shows anomaly maps, which none of its methods has;"
            " add one, such as patchcore"
        )


def check_experiment(config: dict[str, Any], name: str) -> None:
    where = f"experiments: {name}"
    entry = config["experiments"][name]
    lookup(config, "datasets", entry["dataset"], f"{where}: dataset")
    for split in ("train", "test"):
        check_split(config, entry["dataset"], split, f"{where}: dataset")
    for method in entry["methods"]:
        lookup(config, "methods", method, f"{where}: methods")
        _check_labels(config, name, method)
    for metric in entry.get("metrics", DEFAULTS["metrics"]):
        lookup(config, "metrics", metric, f"{where}: metrics")
    _check_answers(config, name)
    for drawing in entry.get("drawings", []):
        lookup(config, "drawings", drawing, f"{where}: drawings")
        _check_drawing(config, where, drawing, [entry])
    if "samplers" in entry:
        _check_samplers(config, f"{where}: samplers", entry["samplers"])
    if "closeness" in entry:
        lookup(config, "closeness", entry["closeness"], f"{where}: closeness")
    if "fakes" in entry:
        lookup(config, "fakes", entry["fakes"], f"{where}: fakes")
    for test in entry.get("tests", DEFAULTS["tests"]):
        try:
            other = TestSet.parse(test).other
        except ValueError as error:
            raise ValueError(f"{where}: tests: {error}") from None
        if other:
            lookup(config, "datasets", other, f"{where}: tests")
            check_split(config, other, "test", f"{where}: tests")
            if "only" in config["datasets"][other]:
                classes(config, other)
            _check_size(config, entry, other, test, where)
    chosen = normals(config, name)
    trained = plugins.call("datasets", arguments(config, "datasets", entry["dataset"]), "trained")
    for normal in chosen:
        if trained is not None and not any(map(Normal.parse(normal).holds, trained)):
            raise ValueError(
                f"{where}: normals: {normal} has no training images in {entry['dataset']}, only"
                f" {', '.join(trained)} can be normal"
            )


def _check_size(config, entry: dict[str, Any], other: str, test: str, where: str) -> None:
    """That a detector which looks at images as they are gets them all in one size."""
    sizes = [options(config, "datasets", d).get("size") for d in (entry["dataset"], other)]
    if None in sizes or sizes[0] == sizes[1]:
        return
    for method in entry["methods"]:
        detector = config["methods"][method]["detector"]
        if "backbone" not in config["detectors"][detector]:
            raise ValueError(
                f"{where}: tests: images of {test} have {sizes[1]} pixels a side, those of"
                f" {entry['dataset']} {sizes[0]}, and detector {detector} of method {method} cannot"
                " compare them: give both the same `size` (datasets)"
            )
