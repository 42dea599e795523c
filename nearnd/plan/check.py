"""Whether a config can work, found before any job runs: one sentence on the first thing that
cannot."""

import math
from typing import Any

from nearnd import plugins
from nearnd.config import (
    DEFAULTS,
    ENTRIES,
    KEYS,
    METHOD,
    STAGE,
    arguments,
    classes,
    constant,
    lookup,
    normals,
    varied,
    with_sampler,
)
from nearnd.jobs import early_end
from nearnd.report.reads import has_map
from nearnd.tasks import Normal, TestSet


def check(config: dict[str, Any]) -> None:
    """Raises ValueError with one sentence on the first thing that cannot work."""
    for section, keys in KEYS.items():
        for name, entry in config.get(section, {}).items():
            where = f"{STAGE.get(section, section)}: {name}"
            _check_entry(section, arguments(config, section, name), where)
            for key, target in keys.items():
                if target and key in entry:
                    lookup(config, target, entry[key], f"{section}: {name}: {key}")
                if key == "dataset" and key in entry:
                    _check_split(config, entry[key], "train", f"{section}: {name}: {key}")
    for section in KEYS:
        for name in config.get(section, {}):
            _check_stated(config, section, name)
    for name in config.get("generators", {}):
        _check_until(config, name)
    for name in config.get("samplers", {}):
        _check_sampler(config, name)
    for name, monitor in config.get("monitors", {}).items():
        lookup(config, "detectors", monitor["detector"], f"monitors: {name}: detector")
        for measure in monitor["measures"]:
            if measure not in plugins.available("fidelity"):
                known = plugins.available("fidelity")
                raise plugins.unknown("measure", measure, known, f"monitors: {name}")
    for name, method in config["methods"].items():
        for key, section in METHOD.items():
            if not (key == "bank" and method[key] == "none"):
                lookup(config, section, method[key], f"methods: {name}: {key}")
        _check_method(config, name, method)
    for name in config["run"]:
        entry = lookup(config, "experiments", name, "run")
        _check_united(config, name)
        for part in entry.get("of", [name]):
            _check_experiment(config, part)
            normals(config, part)


def _check_entry(section: str, entry: dict[str, Any], where: str) -> None:
    """Kinds and arguments, also of the entries inside."""
    plugins.check_entry(STAGE.get(section, section), "", entry, where)
    for key, target in ENTRIES.get(section, {}).items():
        if isinstance(entry.get(key), dict):
            _check_entry(target, entry[key], f"{where}: {key}")


def _check_stated(config: dict[str, Any], section: str, name: str) -> None:
    """What the kind needs and checks (contracts.py), and the keys that are the workflow's."""
    entry = config[section][name]
    for need in constant(config, section, name, "NEEDS", []):
        if need not in entry and (target := KEYS[section].get(need)):
            raise ValueError(
                f"{section}: {name}: kind {entry['kind']} needs {need}: an entry of {target}"
                f" (config/catalog/{target}.yaml)"
            )
    if section == "datasets" and "of" in entry and "of" in config["datasets"][entry["of"]]:
        raise ValueError(f"datasets: {name}: of is {entry['of']}, itself a copy; name the original")
    ratio = entry.get("ratio", 1) if section == "fakes" else 1
    if not isinstance(ratio, int | float) or not 0 < ratio < math.inf:  # nor nan
        raise ValueError(f"fakes: {name}: ratio is {ratio}; it may be a number above 0")
    if section == "samplers":  # with each of its settings, and for an SDE
        return
    try:
        plugins.call(STAGE.get(section, section), arguments(config, section, name), "check")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{section}: {name}: {error}") from None


def _check_split(config: dict[str, Any], dataset: str, split: str, where: str) -> None:
    """A dataset can be asked for the images that it has."""
    splits = constant(config, "datasets", dataset, "SPLITS", ["train", "test"])
    if split not in splits:
        raise ValueError(
            f"{where}: {dataset} has no {split} images, only {splits[0]} images;"
            + (" it can be the dataset of fakes (exposure)" if "train" in splits else "")
            + (f" it can stand in tests, as {dataset}.test" if "test" in splits else "")
        )


def _check_until(config: dict[str, Any], name: str) -> None:
    """That its training can end so: by a measure of its monitor."""
    where, until = f"generators: {name}", config["generators"][name].get("until")
    if until is None:
        return
    try:
        early_end.check_until(until)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    measures = config["monitors"][config["generators"][name]["monitor"]]["measures"]
    if "step" not in until and (measure := until.get("measure", "frechet")) not in measures:
        raise plugins.unknown("measure", measure, measures, f"{where}: until")


def _check_reached(config: dict[str, Any], name: str) -> None:
    """That the training of its generator does not end before the step that fakes are drawn from."""
    entry = config["fakes"][name]
    until = config.get("generators", {}).get(entry.get("generator"), {}).get("until") or {}
    step, end = entry.get("stop", {}).get("step", 0), until.get("step", math.inf)
    last = max(step) if isinstance(step, list) else step
    if last > end:
        raise ValueError(
            f"fakes: {name}: stop step is {last}, but the training of {entry['generator']} ends at"
            f" step {end} (generators: {entry['generator']}: until); raise that, or take an earlier"
            " snapshot"
        )


def _check_sampler(config: dict[str, Any], name: str) -> None:
    """That each of its settings may be."""
    for _, _, entry in varied(config, name):
        plugins.check_entry("samplers", name, entry)
        try:
            plugins.build("samplers", entry)
        except ValueError as error:
            raise ValueError(f"samplers: {name}: {error}") from None


def _check_method(config: dict[str, Any], name: str, method: dict[str, str]) -> None:
    """That the score finds what it reads, and a bank if it wants one."""
    score = config["scores"][method["score"]]
    reads = constant(config, "scores", method["score"], "READS", [])
    reads = [score["feature"]] if "feature" in score else reads
    if not all(isinstance(read, str) for read in reads):
        raise ValueError(
            f"scores: {method['score']}: feature is {score['feature']!r}; it may be a word, such as"
            " features"
        )
    embeds = constant(config, "detectors", method["detector"], "EMBEDS", [])
    if missing := sorted(set(reads) - set(embeds)):
        raise ValueError(
            f"methods: {name}: score {method['score']} reads {', '.join(missing)}, but detector"
            f" {method['detector']} gives {', '.join(embeds)}"
        )
    if (method["bank"] == "none") == constant(config, "scores", method["score"], "BANK", True):
        wants = "looks at no bank: set bank: none" if method["bank"] != "none" else "needs a bank"
        raise ValueError(f"methods: {name}: score {method['score']} {wants}")


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
                f" {normal} is one class; use normals: all or each-not, with more classes"
            )


def _check_samplers(config: dict[str, Any], where: str, spec: dict[str, Any]) -> None:
    """That each sampler of an experiment can draw from its generator."""
    generator = spec["generator"]
    lookup(config, "generators", generator, f"{where}: generator")
    for sampler in spec["compare"]:
        lookup(config, "samplers", sampler, f"{where}: compare")
        for _, entry in with_sampler(config, generator, sampler):
            plugins.check_entry("generators", generator, entry)
            try:
                plugins.call("generators", entry, "check")
            except ValueError as error:
                raise ValueError(f"samplers: {sampler}: {error}") from None


def _check_united(config: dict[str, Any], name: str) -> None:
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
    if "samplers" in reads and not any("samplers" in part for part in parts):
        raise ValueError(f"{where}: drawing {drawing} shows samplers, of which it has none")
    if "samplers" not in reads and not methods:
        raise ValueError(f"{where}: drawing {drawing} shows methods, of which it has none")
    if "maps" in reads and not any(has_map(config, method) for method in methods):
        raise ValueError(
            f"{where}: drawing {drawing} shows anomaly maps, which none of its methods has;"
            " add one, such as patchcore"
        )


def _check_experiment(config: dict[str, Any], name: str) -> None:
    where = f"experiments: {name}"
    entry = config["experiments"][name]
    lookup(config, "datasets", entry["dataset"], f"{where}: dataset")
    for split in ("train", "test"):
        _check_split(config, entry["dataset"], split, f"{where}: dataset")
    for method in entry["methods"]:
        lookup(config, "methods", method, f"{where}: methods")
        _check_labels(config, name, method)
    for metric in entry.get("metrics", DEFAULTS["metrics"]):
        lookup(config, "metrics", metric, f"{where}: metrics")
    for drawing in entry.get("drawings", []):
        lookup(config, "drawings", drawing, f"{where}: drawings")
        _check_drawing(config, where, drawing, [entry])
    if "samplers" in entry:
        _check_samplers(config, f"{where}: samplers", entry["samplers"])
    if "closeness" in entry:
        lookup(config, "closeness", entry["closeness"], f"{where}: closeness")
    if "fakes" in entry:
        lookup(config, "fakes", entry["fakes"], f"{where}: fakes")
    detectors = [config["detectors"][config["methods"][m]["detector"]] for m in entry["methods"]]
    for fakes in {d["outliers"] for d in detectors if "outliers" in d} | {entry.get("fakes")}:
        if fakes is not None:
            _check_reached(config, fakes)
    for test in entry.get("tests", DEFAULTS["tests"]):
        try:
            other = TestSet.parse(test).other
        except ValueError as error:
            raise ValueError(f"{where}: tests: {error}") from None
        if other:
            lookup(config, "datasets", other, f"{where}: tests")
            _check_split(config, other, "test", f"{where}: tests")
