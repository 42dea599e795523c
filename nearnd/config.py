"""What stands in a configuration: its entries and what their kinds say of them. catalog.py puts it
together, plan/check.py finds out whether it can work."""

import math
import random
import re
from collections.abc import Iterator
from typing import Any

from nearnd import plugins
from nearnd.tasks import AND, NOT, SOME, Normal, TestSet

# Sections whose entries are plugins, and their keys that name other entries or tell the workflow
# something; every other key is an argument of the plugin's `build`.
KEYS: dict[str, dict[str, str]] = {
    # of: a changed copy of that dataset's test images; only: the classes that are kept; most: so
    # many training images of each class; tested: so many test images in all; contaminated: the
    # share of each class's training images that are of other classes; dataset and fakes: these
    # fakes, of each class of it
    "datasets": {
        "of": "datasets",
        "only": "",
        "most": "",
        "tested": "",
        "contaminated": "",
        "dataset": "datasets",
        "fakes": "fakes",
    },
    "backbones": {"dataset": "datasets", "label": ""},
    # until: when training ends before its last step
    "generators": {"monitor": "monitors", "until": ""},
    # vary: {setting: values}, each value drawn with by an experiment's `samplers`
    "samplers": {"label": "", "vary": ""},
    "fakes": {"generator": "generators", "dataset": "datasets", "ratio": ""},
    # judge: a network by whose features a detector chooses how it trains
    "detectors": {"backbone": "backbones", "judge": "backbones", "outliers": "fakes"},
    "banks": {},
    "scores": {"label": ""},
    "metrics": {},
    "closeness": {"detector": "detectors"},
    "drawings": {"label": ""},
}
# Arguments of `build` that are an entry of a section, or a list of some: the name, or the entry
# itself.
ENTRIES = {
    "generators": {"sampler": "samplers", "model": "generators"},
    "backbones": {"of": "backbones"},
}
STAGE = {"drawings": "tables_figures"}  # where the folder is not called like the section
METHOD = {"detector": "detectors", "bank": "banks", "score": "scores"}
REPEATED = re.compile(r"(.+?)\1{19}$", re.S)  # snakemake takes such a wildcard for an endless loop
LONG = 240  # characters of a folder's name
DEFAULTS = {"tests": ["test"], "metrics": ["auroc", "aupr_normal", "aupr_anomaly", "fpr95"]}


def arguments(config: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    """An entry without the keys that are for the workflow: the kind and what `build` takes, with
    the entries that it names in place of their names."""
    return _whole(config, section, config[section][name], f"{section}: {name}")


def _whole(config: dict[str, Any], section: str, entry: dict[str, Any], where: str) -> dict:
    found = {key: value for key, value in entry.items() if key not in KEYS[section]}
    for key in ENTRIES.get(section, {}):
        if isinstance(given := found.get(key), list):
            found[key] = [_inside(config, section, key, one, where) for one in given]
        elif given is not None:
            found[key] = _inside(config, section, key, given, where)
    return found


def _inside(config: dict[str, Any], section: str, key: str, given: Any, where: str) -> Any:
    """What stands in an entry under such a key: the entry in place of its name."""
    target, where = ENTRIES[section][key], f"{where}: {key}"
    entry = lookup(config, target, given, where) if isinstance(given, str) else given
    if not isinstance(entry, dict):  # refused by the check of its kind
        return entry
    if "vary" in entry:
        raise ValueError(f"{where}: {given} varies {', '.join(entry['vary'])}; take one without")
    if target == section and entry.get(key) is not None:
        raise ValueError(f"{where}: {given} has a {key} itself")
    return _whole(config, target, entry, where)


def inner(section: str, entry: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(key, section, what it is) of the entries that an entry has as arguments."""
    for key, target in ENTRIES.get(section, {}).items():
        given = entry.get(key)
        for one in given if isinstance(given, list) else [] if given is None else [given]:
            yield key, target, one


def digest(config: dict[str, Any], section: str, name: str) -> str:
    """A hash of the code behind an entry, and behind those that are arguments of it."""
    return _digest(section, arguments(config, section, name))


def _digest(section: str, entry: dict[str, Any]) -> str:
    stage = STAGE.get(section, section)
    found = [plugins.digest(stage, entry["kind"])]
    found += [_digest(target, one) for _, target, one in inner(section, entry)]
    for key, target in ENTRIES.get(section, {}).items():
        if entry.get(key) is None and key in plugins.arguments(stage, entry["kind"]):
            found += [plugins.digest(target, kind) for kind in plugins.available(target)]  # any
    return "-".join(found)


def lookup(config: dict[str, Any], section: str, name: str, where: str) -> dict[str, Any]:
    """An entry by name, or an error that says who asked for it."""
    entries = config.get(section, {})
    if not isinstance(name, str) or name not in entries:
        raise plugins.unknown(f"entry of {section}", name, entries, where)
    return entries[name]


def constant(config: dict[str, Any], section: str, name: str, what: str, default=None) -> Any:
    """A literal of the plugin behind an entry."""
    stage = STAGE.get(section, section)
    return plugins.constant(stage, config[section][name]["kind"], what, default)


def classes(config: dict[str, Any], dataset: str) -> list[str]:
    """The class names of a dataset, in label order; those of the clean one for a changed copy."""
    if "of" in config["datasets"][dataset]:
        return classes(config, config["datasets"][dataset]["of"])
    entry = arguments(config, "datasets", dataset)
    names = plugins.constant("datasets", entry["kind"], "CLASSES")
    if "fakes" in config["datasets"][dataset]:
        names = classes(config, config["datasets"][dataset]["dataset"])
    try:
        names = names or plugins.call("datasets", entry, "classes")
    except ValueError as error:
        raise ValueError(f"datasets: {dataset}: {error}") from None
    only = config["datasets"][dataset].get("only", names)
    if not isinstance(only, list) or not only:
        raise ValueError(f"datasets: {dataset}: only is {only!r}; it may be a list of classes")
    for name in only:
        if name not in names:
            raise plugins.unknown("class", name, names, f"datasets: {dataset}: only")
    names = [name for name in names if name in only]
    for name in names:  # they become parts of paths, beside the words for other normals
        odd = (
            set("/{}<>") & set(name) or name.startswith((".", NOT, SOME)) or not name.isprintable()
        )
        if odd or name in ("", "all", "any") or REPEATED.search(name):
            raise ValueError(
                f"datasets: {dataset}: a class is called {name!r}; rename it: it must not be empty,"
                " all or any, begin with a dot, not- or one-of-, end in the same 20 times over, or"
                " contain /, {, }, <, > or what does not print"
            )
    return names


def with_sampler(config: dict[str, Any], generator: str, sampler: str) -> list[tuple[dict, dict]]:
    """For each value of what an entry of `samplers` varies: columns that name it, and the
    generator's entry that draws so."""
    entry = arguments(config, "generators", generator)
    return [
        ({"setting": setting, "value": value}, entry | {"sampler": drawn})
        for setting, value, drawn in varied(config, sampler)
    ]


def varied(config: dict[str, Any], sampler: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """(setting, value, entry with it) for each value that an entry of `samplers` varies."""
    fixed, vary = arguments(config, "samplers", sampler), config["samplers"][sampler].get("vary")
    if vary is None:
        return [("", "", fixed)]
    ((setting, values),) = vary.items()
    return [(setting, value, fixed | {setting: value}) for value in values]


def banked(config: dict[str, Any]) -> set[tuple[str, str]]:
    """(dataset, detector) whose features of training images are read: for the bank of a method of
    an experiment, in the run or not, or to tell which classes are near."""
    read = set()
    for spec in config["experiments"].values():
        if "dataset" not in spec:  # unites others
            continue
        dataset, methods = spec["dataset"], [config["methods"][m] for m in spec["methods"]]
        read |= {(dataset, m["detector"]) for m in methods if m["bank"] != "none"}
        if "closeness" in spec:  # of the classes of both datasets
            sets = {TestSet.parse(images).dataset(dataset) for images in spec.get("tests", [])}
            sets |= {config["datasets"][name].get("of", name) for name in sets}
            near = config["closeness"][spec["closeness"]]["detector"]
            read |= {(name, near) for name in {dataset} | sets}
    return read


def normals(config: dict[str, Any], experiment: str) -> list[str]:
    """The normals of an experiment: class names, one-of-<class>+<class>, not-<class>, or all."""
    entry = config["experiments"][experiment]
    names, chosen = classes(config, entry["dataset"]), entry["normals"]
    where = f"experiments: {experiment}: normals"
    dataset = arguments(config, "datasets", entry["dataset"])
    trained = plugins.call("datasets", dataset, "trained") or names
    if chosen == "each":  # a class without training images can only be an anomaly
        return [name for name in names if name in trained]
    if isinstance(chosen, dict):
        return drawn([name for name in names if name in trained], where, **chosen)
    if chosen == "each-not":
        return [f"{NOT}{name}" for name in names]
    if chosen == "all":
        return ["all"]
    known = [*names, *(f"{NOT}{name}" for name in names), "all"]
    for normal in chosen:
        several = Normal.parse(normal).names if normal.startswith(SOME) else [normal]
        for name in several:
            if name not in (names if normal.startswith(SOME) else known):
                raise plugins.unknown("normal", name, known, where)
        if len(set(several)) < len(several):
            raise ValueError(f"{where}: {normal} names a class twice")
    return list(chosen)


def drawn(names: list[str], where: str, known: int, trials: int, seed: int = 0) -> list[str]:
    """`trials` different draws of `known` of the classes, the same on every machine: the others
    are the unknown ones of an open set."""
    if odd := [name for name in names if AND in name]:
        raise ValueError(
            f"{where}: class {odd[0]!r} contains {AND}, which joins classes; rename it"
        )
    if not 1 < known < len(names):
        raise ValueError(f"{where}: known is {known}; of {len(names)} classes it may be 2 to"
                         f" {len(names) - 1}")  # fmt: skip
    if trials > (most := math.comb(len(names), known)):
        raise ValueError(f"{where}: trials is {trials}, but only {most} choices differ")
    found: dict[str, None] = {}
    draw = random.Random(f"{seed} of {known}")  # noqa: S311
    while len(found) < trials:
        chosen = draw.sample(names, known)
        found[SOME + AND.join(name for name in names if name in chosen)] = None
    if max(map(len, found)) > LONG:
        raise ValueError(
            f"{where}: the names of {known} classes are too long for a folder's name; shorten them"
        )
    return list(found)
