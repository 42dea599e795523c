"""The catalog: its files, the user's config laid over it, and short entries written out in full."""

import math
from pathlib import Path
from typing import Any

import yaml

from nearnd import papers, plugins
from nearnd.config import KEYS, METHOD

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times as fast
# Sections in an order in which each comes before those that its entries name
ORDER = ("experiments", "methods", "closeness", "detectors", "fakes", "backbones", "generators",
         "datasets")  # fmt: skip
MOST = 100_000  # values of a config; the whole catalog has a tenth
OWN = ("label", "row")  # what an entry does not take over from the one that it is like


def whole(folder: Path, *configs: dict[str, Any]) -> dict[str, Any]:
    """The catalog of a folder with configs laid over it one after the other, all written out.

    ValueError with one sentence if a file or a short entry cannot be read.
    """
    config = derive(read_catalog(folder))
    for changes in configs:
        config = derive(lay_over(config, bounded(changes)))
    return _sorted(config)


def _sorted(value: Any) -> Any:
    """With all keys in the order of the alphabet: jobs depend on what an entry says, not on the
    order in which that is written."""
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _sorted(value[key]) for key in sorted(value, key=str)}


def read_catalog(folder: Path) -> dict[str, Any]:
    """All sections of all files of a folder; a name given twice is an error."""
    catalog: dict[str, Any] = {}
    origin: dict[tuple[str, str], str] = {}
    for file in sorted(folder.glob("*.yaml")):
        for section, entries in _sections(file).items():
            for name, entry in entries.items():
                first = origin.setdefault((section, name), file.name)
                if first != file.name:
                    raise ValueError(f"{section}: {name} stands in both {first} and {file.name}")
                catalog.setdefault(section, {})[name] = entry
    return catalog


def load(file: Path) -> Any:
    """What a YAML file holds; ValueError naming it if it is none."""
    try:
        return LOADER(file.read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not readable as YAML: {error}") from error


def _sections(file: Path) -> dict[str, dict[str, Any]]:
    """What a catalog file holds; ValueError naming it if that is not sections of named entries."""
    found = load(file) or {}
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds {found!r}; it may hold sections, such as `scores:`")
    for section, entries in found.items():
        if not isinstance(entries, dict | None):
            raise ValueError(f"{file}: {section} is {entries!r}; it may hold entries by name")
    return {section: entries or {} for section, entries in found.items()}


def from_arguments(given: list[str]) -> dict[str, Any]:
    """What `--config key=value ...` says, each value as it would be in a file."""
    found = {}
    for key, _, text in (entry.partition("=") for entry in given):
        try:
            found[key] = LOADER(text).get_single_data()
        except yaml.YAMLError as error:
            raise ValueError(f"--config {key}={text} is not readable as YAML: {error}") from error
    return found


def bounded(config: dict[str, Any]) -> dict[str, Any]:
    """The config; ValueError if it has more than MOST values, or one that holds itself: a few
    lines of aliases of aliases can stand for billions."""
    sizes: dict[int, float] = {}

    def size(value: Any) -> float:
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = math.inf  # until it is known: one that holds itself has no end
            inside = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(map(size, inside))
        return sizes[id(value)]

    if many := [key for key, value in config.items() if size(value) > MOST]:
        raise ValueError(f"{many[0]} holds more than {MOST:,} values; write fewer, without aliases")
    return config


def lay_over(catalog: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The catalog with the config's entries: one with a `kind` (or `like`) replaces, one without
    changes. A change of what an entry names, `methods: {m: {detector: {epochs: 1}}}`, is one of a
    copy, <detector>_of_m, so that other methods keep theirs."""
    merged, copies = dict(catalog), []
    for section, entries in config.items():
        merged[section], known = entries, catalog.get(section, {})
        if isinstance(entries, dict) and isinstance(known, dict):
            merged[section] = known | entries
            for name, entry in entries.items():
                old = known.get(name)
                if isinstance(entry, dict) and isinstance(old, dict) and not _is_new(entry):
                    merged[section][name] = new = old | entry
                    for key, target in _names(section).items():
                        part, named = entry.get(key), old.get(key)
                        if isinstance(part, dict) and not _is_new(part) and isinstance(named, str):
                            new[key] = f"{named}_of_{name}"
                            copies.append((target, new[key], _copy(catalog, target, named) | part))
    for section, name, entry in copies:
        if isinstance(merged.get(section), dict):
            merged[section] = merged[section] | {name: entry}
    return merged


def _copy(catalog: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    """An entry that is as another one, in sections without short entries too."""
    if section in ORDER:
        return {"like": name}
    return {key: value for key, value in catalog[section][name].items() if key not in OWN}


def derive(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its short entries written out (config/README.md, "Short entries"): series
    (`vary`), copies (`like`), entries written in the place of their name, defaults of methods,
    the experiments and drawings of `papers`.

    What is written out already stays as it is; what is no entry at all is left to the schema.
    """
    config = {s: dict(found) if isinstance(found, dict) else found for s, found in config.items()}
    for section in ORDER:
        if isinstance(config.get(section), dict):
            config[section] = _series(config, section)
            for name in list(config[section]):
                _write_out(config, section, name, ())
    methods = config.get("methods")
    for name, method in methods.items() if isinstance(methods, dict) else ():
        if isinstance(method, dict):
            methods[name] = _with_defaults(config, method)
    papers.write_out(config)
    return config


def _is_new(entry: dict[str, Any]) -> bool:
    """Whether an entry stands by itself and does not change another."""
    return "kind" in entry or "like" in entry


def _names(section: str) -> dict[str, str]:
    """The keys whose value is the name of another entry, and that entry's section."""
    keys = METHOD if section == "methods" else KEYS.get(section, {})
    return {key: target for key, target in keys.items() if target in KEYS}


def _with_defaults(config: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    """The nearest normal images say how novel an image is; a score that reads no bank has none."""
    method = {"score": "knn2"} | method
    kind = _entry(config, "scores", method["score"]).get("kind")
    known = kind in plugins.available("scores")
    bank = "full" if not known or plugins.constant("scores", kind, "BANK", True) else "none"
    return {"bank": bank} | method


def _entry(config: dict[str, Any], section: str | None, name: Any) -> dict[str, Any]:
    """An entry by name; an empty one where there is none."""
    entries = config.get(section)
    found = entries.get(name) if isinstance(entries, dict) and isinstance(name, str) else None
    return found if isinstance(found, dict) else {}


# ---- copies, and entries in the place of a name ----


def _write_out(config: dict[str, Any], section: str, name: str, after: tuple[str, ...]) -> None:
    """Writes out one entry, after the one that it is like; entries in it go to their section."""
    entries, where = config[section], f"{section}: {name}"
    if not isinstance(entries[name], dict):
        return
    entry, base = dict(entries[name]), {}
    if "like" in entry:
        like = entry.pop("like")
        plain = {n for n, e in entries.items() if isinstance(n, str) and isinstance(e, dict)}
        if not isinstance(like, str) or like not in plain:
            raise plugins.unknown(f"entry of {section}", like, plain, f"{where}: like")
        if like in (name, *after):
            raise ValueError(f"{where}: like leads back to {like}; one of them has to have a kind")
        _write_out(config, section, like, (name, *after))
        base = {key: value for key, value in entries[like].items() if key not in OWN}
        if "score" in entry:  # which says anew whether there is a bank
            base.pop("bank", None)
        entry = base | entry
    for key, target in _names(section).items():
        part = entry.get(key)
        if not isinstance(part, dict):
            continue
        new = str(name)
        if not _is_new(part):  # changes to what the other entry names
            if not isinstance(base.get(key), str):
                raise ValueError(
                    f"{where}: {key} is {part}; it may be the name of an entry of {target}, or an"
                    " entry itself: a kind (or like: and a name) and its arguments"
                )
            new, part = f"{base[key]}_{_added(new, like)}", {"like": base[key], **part}
        if not isinstance(config.setdefault(target, {}), dict):
            return  # the schema refuses that section
        if new in config[target]:
            raise ValueError(
                f"{where}: {key}: would be called {new}, but {target} has an entry of that name;"
                f" rename {name}, or name that entry, {key}: {new}"
            )
        config[target][new] = part
        entry[key] = new
        if target == section:
            _write_out(config, section, new, (name, *after))
    entries[name] = entry


def _added(name: str, like: str) -> str:
    """The words that a name has beyond those that it begins with as another does: fitymi_half,
    like fitymi_digits, adds half."""
    new, old = name.split("_"), like.split("_")
    while len(new) > 1 and old and new[0] == old[0]:
        new, old = new[1:], old[1:]
    return "_".join(new)


# ---- series ----


def _series(config: dict[str, Any], section: str) -> dict[str, Any]:
    """The section with one entry for each value of an entry that says `vary`."""
    entries = config[section].items()
    series = {name: e for name, e in entries if isinstance(e, dict) and "vary" in e}
    found = {name: entry for name, entry in entries if name not in series}
    for name, entry in series.items():
        vary = entry["vary"]
        if not isinstance(vary, dict) or len(vary) != 1:
            raise ValueError(
                f"{section}: {name}: vary is {vary}; it may be one argument and its values"
            )
    # those that vary `like` come last: they may name members of the others
    for name, entry in sorted(series.items(), key=lambda item: "like" in item[1]["vary"]):
        for new, one in _members(config | {section: found}, section, name, entry):
            if new in found:
                raise ValueError(
                    f"{section}: {name}: makes an entry {new}, but there is one of that name;"
                    " rename the series or leave out that value"
                )
            found[new] = one
    return found


def _members(config, section: str, name: Any, entry: dict[str, Any]) -> list[tuple[str, dict]]:
    """The names and entries of a series."""
    where = f"{section}: {name}: vary"
    fixed = {key: value for key, value in entry.items() if key != "vary"}
    if not isinstance(name, str) or "{}" not in name:
        raise ValueError(f"{where}: the name has to say where the value goes, such as {name}_{{}}")
    ((argument, given),) = entry["vary"].items()
    path, values = str(argument).split("."), given
    if isinstance(given, list) and all(isinstance(value, str | int | float) for value in given):
        values = {value: value for value in given}
    if not isinstance(values, dict) or not values:
        raise ValueError(
            f"{where}: {argument} is {given}; it may be a list of numbers or names, or, for other"
            " values, {name: value}"
        )
    of, found = _section_of(section, path), []
    for short, value in values.items():
        one = _changed(fixed, section, path, value)
        text = f"{short:g}" if isinstance(short, float) else str(short)
        for key in OWN:
            if isinstance(one.get(key), str):
                one[key] = one[key].replace("{}", str(_entry(config, of, value).get(key, text)))
        found.append((name.replace("{}", text.replace(".", "")), one))
    return found


def _section_of(section: str, path: list[str]) -> str | None:
    """The section whose entries a path of keys names, such as detector.backbone; or none."""
    for key in path:
        section = section if key == "like" else _names(section).get(key)
    return section


def _changed(entry: dict[str, Any], section: str, path: list[str], value: Any) -> dict[str, Any]:
    """The entry with another value at a path, such as detector.outliers.images."""
    key, *rest = path
    if rest:
        part, target = entry.get(key), _names(section).get(key, "")
        if isinstance(part, str) and target:
            part = {"like": part}
        value = _changed(part if isinstance(part, dict) else {}, target, rest, value)
    return {**entry, key: value}
