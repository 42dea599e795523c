"""Files behind a form or a login: whether they are here, and where to get them if not.

Such a dataset states GATED and links without a plain download (ARCHIVES with no urls).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nearnd import plugins

ARCHIVES = Path("results/archives")  # <kind>/<name of the file>, and <name>.json when it is in use


def check(config: dict[str, Any], datasets: list[str], archives: Path = ARCHIVES) -> None:
    """ValueError for the first of `datasets` with a file that is in no place it can come from.

    Looks at files only: for the planning, before anything is trained. A mirror behind http(s) is
    believed to have them.
    """
    for dataset in datasets:
        kind = config["datasets"][dataset]["kind"]
        missing = [
            archive
            for archive in plugins.constant("datasets", kind, "ARCHIVES", [])
            if not archive["urls"] and not _here(archive["name"], archives / kind, config)
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


def _here(name: str, folder: Path, config: dict[str, Any]) -> bool:
    if (folder / name).is_file() or (folder / f"{name}.json").is_file():
        return True
    return in_mirror(name, config["mirrors"])


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
