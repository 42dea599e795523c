"""The datasets of the catalog: how large, under what terms, where from, whether they are here."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from nearnd import plugins
from nearnd.plan.archives import ARCHIVES, advice, in_mirror, stated

NAMES = 3  # entries of one kind that are named
WIDTHS = {"entries": 26, "licence": 34}  # of columns that are wrapped

VERIFIED = "verified"  # its published checksum was right when it was fetched
RECORDED = "recorded"  # no checksum is published; that of the first use was kept
CHANGED = "changed since"  # newer than the record of its check
UNCHECKED = "not checked yet"  # it lies where it belongs or in a mirror
PERHAPS = "perhaps in a mirror"  # one behind http(s), which is not asked
MISSING = "missing"


def listing(config: dict[str, Any], archives: Path = ARCHIVES) -> pd.DataFrame:
    """One row for each kind of dataset: dataset, entries, files, size, access, here, licence.

    Files alone are looked at: no link is opened and no checksum computed. `size` is that of the
    archives, with "> " where it is known of some of them only.
    """
    kinds: dict[str, list[str]] = {}
    for entry, spec in config["datasets"].items():
        kinds.setdefault(spec["kind"], []).append(entry)
    rows = []
    for kind in sorted(kinds):
        files = stated(kind)
        states = Counter(state(file, kind, config, archives) for file in files)
        rows.append(
            {
                "dataset": kind,
                "entries": _names(kinds[kind]),
                "files": len(files),
                "size": _size(files),
                "access": _access(kind, files),
                "here": _here(states),
                "licence": plugins.constant("datasets", kind, "LICENCE", ""),
            }
        )
    return pd.DataFrame(rows)


def text(config: dict[str, Any], archives: Path = ARCHIVES) -> str:
    """The listing to print, and where to get by hand what cannot be fetched and is not here."""
    table = listing(config, archives)
    widths = [WIDTHS.get(column) for column in table]
    lines = [table.to_markdown(index=False, tablefmt="simple", maxcolwidths=widths)]
    for row in table.itertuples():
        if MISSING in row.here and (words := advice(row.dataset)):
            lines.append(
                f"{row.dataset}: {words} Put it into {(archives / row.dataset).absolute()}."
            )
    return "\n\n".join(lines)


def state(file: dict[str, Any], kind: str, config: dict[str, Any], archives: Path) -> str:
    """One of the words above for an archive of a kind of dataset."""
    place = archives / kind / file["name"]
    record = place.with_name(place.name + ".json")
    if place.is_file() and record.is_file():
        if place.stat().st_mtime > record.stat().st_mtime:
            return CHANGED
        return VERIFIED if {"sha256", "md5", "sha1"} & {k for k in file if file[k]} else RECORDED
    local = [m for m in config["mirrors"] if not m.startswith(("http://", "https://"))]
    if place.is_file() or in_mirror(file["name"], local):
        return UNCHECKED
    return PERHAPS if len(local) < len(config["mirrors"]) else MISSING


def _names(entries: list[str]) -> str:
    more = len(entries) - NAMES
    return ", ".join(entries[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _size(files: list[dict[str, Any]]) -> str:
    known = [file["bytes"] for file in files if file.get("bytes")]
    if not known:
        return "?" if files else ""
    n, more = sum(known), ""
    if len(known) < len(files):
        more = "> "
    elif any(file.get("about") for file in files):
        more = "~ "
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if n >= factor:
            return f"{more}{n / factor:.3g} {unit}"
    return f"{more}{n / 1e3:.3g} kB"


def _access(kind: str, files: list[dict[str, Any]]) -> str:
    if not files:
        return plugins.constant("datasets", kind, "ACCESS", "made here")
    return "gated" if any(not file["urls"] for file in files) else "direct"


def _here(states: Counter) -> str:
    if len(states) == 1:
        return next(iter(states))
    return ", ".join(f"{n} {word}" for word, n in states.items())
