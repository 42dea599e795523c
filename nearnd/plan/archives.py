"""Files from elsewhere: a dataset's archives, and those that an entry names (FILES of its kind).

One behind a form or a login states GATED and links without a plain download (ARCHIVES with no
urls): whether it is here, and where to get it if not.
"""

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nearnd import plugins
from nearnd.files.paths import RESULTS, path

ARCHIVES = RESULTS / "archives"  # <kind>/<name of the file>, and <name>.json when it is in use


def records(config: dict[str, Any], dataset: str) -> dict[str, str]:
    """{name of an archive of a dataset: the record that it was fetched}"""
    kind = config["datasets"][dataset]["kind"]
    return {a["name"]: path("archive", kind=kind, archive=a["name"]) for a in stated(kind)}


def stated(kind: str) -> list[dict[str, Any]]:
    """What a kind of dataset states about each of its archives, with the name, links and checksum
    that they have if nothing is said of them."""
    folders = plugins.constant("datasets", kind, "LINKS", [])
    return [
        {"name": name, "urls": [folder + name for folder in folders], "sha256": None} | facts
        for name, facts in plugins.constant("datasets", kind, "ARCHIVES", {}).items()
    ]


def about(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """What is known about a file to fetch: names, links, checksum. `kind` is that of a dataset, or
    `<section>-<entry>-<mark>` of a file that an entry names."""
    if "-" in kind:
        section, entry = kind.rsplit("-", 1)[0].split("-", 1)
        files = outside(config, section, entry).values()
        return next(archive for file, archive in files if archive and Path(file).name == name)
    archive = next(archive for archive in stated(kind) if archive["name"] == name)
    licence = plugins.constant("datasets", kind, "LICENCE", "")
    return {"hint": advice(kind), "licence": licence} | archive


def outside(config: dict[str, Any], section: str, name: str) -> dict[str, tuple[str, dict | None]]:
    """Files that an entry names: {argument: (path, how to fetch it)}.

    A path that is there is used where it is, so that a change of it runs its jobs again. A link,
    or a path inside a mirror, is fetched once, like the archive of a dataset.
    """
    spec, found = config[section][name], {}
    if section not in plugins.STAGES:  # drawings take no files
        return found
    spec = plugins.defaults(section, spec["kind"]) | spec
    for argument, facts in plugins.constant(section, spec["kind"], "FILES", {}).items():
        value, words = spec.get(argument), facts.get("words", [])
        if not value or value in words:
            continue
        if not isinstance(value, str):
            raise ValueError(f"{argument} is {value!r}; it may be a path or a link")
        here, link = Path(value).expanduser(), "://" in value
        if here.is_file() and not link:
            found[argument] = (str(here), None)
            continue
        # another link is another file, although its last part may be the same
        mark = hashlib.sha256(value.encode()).hexdigest()[:8]
        base = here.name.split("?")[0]
        if base in ("", ".", "..") or set("{}") & set(base):  # it becomes part of a path
            raise ValueError(
                f"{argument} is {value!r}; it must end in the name of a file, without braces"
            )
        record = path("archive", kind=f"{section}-{name}-{mark}", archive=base)
        inside = base if link or here.is_absolute() else value
        there = link or in_mirror(inside, config["mirrors"])
        if not (there or os.path.exists(record)):
            kinds = ", ".join([*words, "a path, a link, or a path inside a mirror"])
            raise ValueError(
                f"there is no file {value}, and mirrors {config['mirrors']} have no {inside};"
                f" {argument} may be {kinds}. {facts['hint']}"
            )
        archive = {"name": inside, "urls": [value] if link else []}
        archive |= {"sha256": spec.get(facts["checksum"]), "hint": facts["hint"]}
        found[argument] = (record.removesuffix(".json"), archive)
    return found


def check(config: dict[str, Any], datasets: list[str], archives: Path = ARCHIVES) -> None:
    """ValueError for the first of `datasets` with a file that is in no place it can come from.

    Looks at files only: for the planning, before anything is trained. A mirror behind http(s) is
    believed to have them.
    """
    for dataset in datasets:
        kind = config["datasets"][dataset]["kind"]
        missing = [
            archive
            for archive in stated(kind)
            if not archive["urls"]
            and not (archives / kind / archive["name"]).is_file()
            and not (archives / kind / f"{archive['name']}.json").is_file()
            and not in_mirror(archive["name"], config["mirrors"])
        ]
        if missing:
            files = ", ".join(map(_named, missing))
            raise ValueError(
                f"datasets: {dataset}: there is no {files}, and no public link to get it from."
                f" {advice(kind)} Put it into {(archives / kind).absolute()}, or into a folder that"
                f" `mirrors:` names (now {config['mirrors']})."
            )


def advice(kind: str) -> str:
    """Where to get a dataset's files and under what terms; empty for one that is just fetched."""
    text = plugins.constant("datasets", kind, "GATED", "")
    licence = plugins.constant("datasets", kind, "LICENCE", "")
    return f"{text} Licence: {licence}." if text else ""


def _named(archive: dict[str, Any]) -> str:
    known = next((kind for kind in ("sha256", "md5") if archive.get(kind)), None)
    return archive["name"] + (f" ({known} {archive[known]})" if known else "")


def in_mirror(name: str, mirrors: list[str]) -> bool:
    """Whether a mirror has the file, or may have it: one behind http(s) is not asked."""
    for mirror in mirrors:
        parts = urlsplit(mirror)
        if parts.scheme in ("http", "https"):
            return True
        at = Path(url2pathname(parts.path)) if parts.scheme == "file" else Path(mirror)
        if (at.expanduser() / name).is_file():
            return True
    return False
