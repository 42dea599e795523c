"""Whether a config can work, found before any job runs: one sentence on the first thing that
cannot."""

from typing import Any
from urllib.parse import urlsplit

from nearnd import plugins
from nearnd.config import KEYS, METHOD, STAGE, arguments, constant, inner, lookup, varied
from nearnd.plan.check_experiment import check_experiment, check_split, check_united
from nearnd.plan.check_stop import check_fakes, check_until
from nearnd.plan.run import Run


def check(config: dict[str, Any]) -> None:
    """Raises ValueError with one sentence on the first thing that cannot work."""
    for mirror in config["mirrors"]:
        _check_place("mirrors", mirror)
    for section, keys in KEYS.items():
        for name, entry in config.get(section, {}).items():
            where = f"{STAGE.get(section, section)}: {name}"
            _check_entry(section, arguments(config, section, name), where)
            for key, target in keys.items():
                if target and key in entry:
                    lookup(config, target, entry[key], f"{section}: {name}: {key}")
                if key == "dataset" and key in entry:
                    check_split(config, entry[key], "train", f"{section}: {name}: {key}")
    for section in KEYS:
        for name in config.get(section, {}):
            _check_stated(config, section, name)
    for name in config.get("generators", {}):
        check_until(config, name)
    for name in config.get("samplers", {}):
        _check_sampler(config, name)
    for name, monitor in config.get("monitors", {}).items():
        lookup(config, "detectors", monitor["detector"], f"monitors: {name}: detector")
        for measure in monitor["measures"]:
            if measure not in (known := plugins.available("fidelity")):
                raise plugins.unknown("measure", measure, known, f"monitors: {name}")
    for name, method in config["methods"].items():
        for key, section in METHOD.items():
            if not (key == "bank" and method[key] == "none"):
                lookup(config, section, method[key], f"methods: {name}: {key}")
        _check_method(config, name, method)
    for name in config["run"]:
        entry = lookup(config, "experiments", name, "run")
        check_united(config, name)
        for part in entry.get("of", [name]):
            check_experiment(config, part)
    _check_used(Run(config))


def _check_used(run: Run) -> None:
    """What `build` refuses, of the entries of a run in stages that load no torch; that what they
    name may be there, and that fakes can be had."""
    for section, name in run.light:
        try:
            plugins.build(section, arguments(run.config, section, name))
        except ValueError as error:
            raise ValueError(f"{section}: {name}: {error}") from None
    for section, name in run.named:
        for argument in constant(run.config, section, name, "FILES", {}):
            place = run.config[section][name].get(argument) or ""
            _check_place(f"{section}: {name}: {argument}", place)
    for experiment in run.experiments:
        for name in run.shown(experiment) + run.tested(experiment):
            check_fakes(run, experiment, name)


def _check_place(where: str, place: str) -> None:
    """That a path or a link can be one."""
    try:
        link = urlsplit(place)
        web = link.scheme in ("http", "https") and link.hostname and link.port != 0
        good = "://" not in place or link.scheme == "file" or web
    except ValueError:  # a bracket that is not closed, a port that is no number
        good = False
    if not good or "\0" in place:
        raise ValueError(
            f"{where}: {place!r} cannot be opened; it may be a path on this machine, or a link:"
            " file:// and a path, http:// or https:// and the name of a machine"
        )


def _check_entry(section: str, entry: dict[str, Any], where: str) -> None:
    """Kinds and arguments, also of the entries inside."""
    plugins.check_entry(STAGE.get(section, section), "", entry, where)
    for key, target, one in inner(section, entry):
        if isinstance(one, dict):
            _check_entry(target, one, f"{where}: {key}")


def _check_stated(config: dict[str, Any], section: str, name: str) -> None:
    """What the kind needs and checks (contracts.py), and the keys that are the workflow's."""
    entry = config[section][name]
    needs = constant(config, section, name, "NEEDS", [])
    for key in ("dataset", "fakes") if section == "datasets" else ():
        if key in entry and key not in needs:
            raise ValueError(f"datasets: {name}: kind {entry['kind']} takes no {key}")
    for need in needs:
        if need not in entry and (target := KEYS[section].get(need)):
            raise ValueError(
                f"{section}: {name}: kind {entry['kind']} needs {need}: an entry of {target}"
                f" (config/catalog/{target}.yaml)"
            )
    for argument, values in constant(config, section, name, "VALUES_NEED", {}).items():
        for value, need in values.items():
            if value in (entry.get(argument) or ()) and need not in entry:
                raise ValueError(
                    f"{section}: {name}: {argument} has {value}, which needs {need}: an entry of"
                    f" {KEYS[section][need]}"
                )
    if section == "datasets" and "of" in entry and "of" in config["datasets"][entry["of"]]:
        raise ValueError(f"datasets: {name}: of is {entry['of']}, itself a copy; name the original")
    if section == "samplers":  # with each of its settings, and for an SDE
        return
    try:
        plugins.call(STAGE.get(section, section), arguments(config, section, name), "check")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{section}: {name}: {error}") from None


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
