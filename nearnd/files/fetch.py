"""Gets a file from mirrors or public links (an archive, weights): whole and checked, or not at all.

A download goes to `<file>.part`, is resumed after an interruption, and takes its name only when it
has been checked. Where the publisher gives no checksum, the one of the first file that was used is
kept in `<file>.sha256` and enforced from then on. NEARND_OFFLINE=1 leaves only local sources.
"""

import hashlib
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from nearnd.contracts import Progress, silent
from nearnd.files import package
from nearnd.files.arrays import NO_ROOM
from nearnd.files.download import (
    ATTEMPTS,
    CHUNK,
    Wrong,
    bounded,
    download,
    megabytes,
    twice_packed,
    unpack,
)
from nearnd.files.packed import check, whole

TIMEOUT = 30.0  # seconds without a byte, or with hardly any
UNKNOWN = 1 << 35  # bytes of a file of which nobody said how large it is
DIGESTS = ("sha256", "md5")


class FetchError(OSError):
    """No source gave the file; the message lists each source with its reason."""


class AbsentError(FetchError):
    """No source has it, or none can be reached: there was not one file, also no wrong one."""


class _Other(Wrong):
    """There is a file, but it is not the one that is wanted."""


def fetch(
    archive: dict,
    target: Path,
    mirrors: list[str],
    progress: Progress = silent,
    *,
    pause: Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT,
    attempts: int = ATTEMPTS,
) -> None:
    """Puts the file of `archive` at `target`; see ARCHIVES in `contracts`.

    A file that lies there and is right is kept. `mirrors` are folders, file:// or http(s)://
    prefixes that the name is joined to. `progress` counts megabytes. A checksum may be cut to its
    first digits, at least eight, where no more of it is published; without one the first file must
    have the size that is stated, if any. An archive of files with a `sha1` each may be packed by
    anybody, or lie in a folder unpacked.
    Raises FetchError saying what each source answered and where to put the file by hand (an
    AbsentError if none gave any), or that there is no room; then nothing of the file is left.
    """
    target = Path(target)
    reasons: list[str] = []
    kind = AbsentError
    if target.exists():
        try:
            _accept(target, target, archive)
            return
        except Wrong as reason:
            kind = FetchError
            reasons.append(f"{target} (the file lying there): {reason}")

    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    beside = [str(target)] if archive.get("sha1") else []  # unpacked, where it belongs
    sources = [_join(mirror, archive["name"]) for mirror in mirrors] + beside + archive["urls"]
    for source in sources:
        if not _checksum(archive):
            part.unlink(missing_ok=True)  # never one file from two sources that may differ
        try:
            _obtain(source, part, target, archive, progress, pause, timeout, attempts)
            os.replace(part, target)
            return
        except Wrong as reason:
            kind = FetchError if isinstance(reason, _Other) else kind
            reasons.append(f"{source}: {reason}")
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            part.unlink(missing_ok=True)
            free = shutil.disk_usage(part.parent).free / 1e6
            raise FetchError(
                f"no room for {archive['name']} in {part.parent.absolute()}: {error.strerror}."
                f" {free:.0f} MB are free there; make room and start again"
            ) from error
    raise kind(_advice(archive, target, reasons))


def mirrors() -> list[str]:
    """Those of the config, which the workflow gives to its jobs."""
    return json.loads(os.environ.get("NEARND_MIRRORS", "[]"))


def offline() -> bool:
    """Whether nothing may be asked but folders."""
    return os.environ.get("NEARND_OFFLINE", "0") not in ("", "0")


def verify(file: str | Path, sha256: str | None) -> None:
    """ValueError if the file is missing, or its sha256 is another than the one given, if any."""
    if not Path(file).is_file():
        raise ValueError(f"there is no file {file}")
    if sha256 and (found := _digest(Path(file), "sha256")) != sha256.lower():
        raise ValueError(f"{file} has sha256 {found}, the entry says {sha256}")


def _obtain(source, part, target, archive, progress, pause, timeout, attempts) -> None:
    """A checked file at `part`, or Wrong."""
    local, most, link = _local(source), _most(archive), urlsplit(source)
    if local is None and offline():
        raise Wrong("not asked, NEARND_OFFLINE is set")
    if local is not None:
        if archive.get("sha1") and not local.is_file():
            _pack(local.parent, archive, part)
        else:
            _copy(local, part, most, progress)
        return _accept(part, target, archive, drop=True)
    if link.scheme == "package":
        _from_index(link.netloc, archive["name"], part)
        return _accept(part, target, archive, drop=True)

    for last in (False, True):
        packed, resumed = download(source, part, most, progress, pause, timeout, attempts)
        try:
            if packed:
                _unpack(part, archive, most)
            return _accept(part, target, archive, drop=True)
        except Wrong:
            part.unlink(missing_ok=True)
            # the old beginning may be of another file: from zero, one time
            if last or not resumed:
                raise


def _most(archive: dict) -> int:
    """The bytes that the file may have: `bytes`, twice that if they are roughly known or if anybody
    may have packed it."""
    rough = archive.get("about") or archive.get("sha1")
    return archive.get("bytes", UNKNOWN) * (2 if rough else 1)


def _unpack(part: Path, archive: dict, most: int) -> None:
    """Takes off what a server packed for the way, unless it says so of the file's own packing."""
    kind, wanted = _checksum(archive) or (None, None)
    if kind in DIGESTS:
        itself = _digest(part, kind).startswith(wanted.lower())
    else:
        itself = archive["name"].lower().endswith((".gz", ".tgz")) and not twice_packed(part)
    if not itself:
        unpack(part, most)


def _from_index(requirement: str, name: str, part: Path) -> None:
    """A package's file, by the machine's own client: it knows the index that is in reach."""
    try:
        package.download(requirement, name, part)
    except ValueError as error:
        raise Wrong(str(error)) from error


def _pack(folder: Path, archive: dict, part: Path) -> None:
    """An archive of the files that lie unpacked in a folder."""
    names = list(archive["sha1"])
    if not all((folder / name).is_file() for name in names):
        raise Wrong(f"no such file, nor {names[0]}")
    try:
        with tarfile.open(part, "w") as tar:
            for name in names:
                tar.add((folder / name).resolve(), name)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise Wrong(str(error)) from error


def _copy(source: Path, part: Path, most: int, progress: Progress) -> None:
    if not source.is_file():
        raise Wrong("no such file")
    try:
        total = source.stat().st_size
        bounded(total, most)
        with open(source, "rb") as file, open(part, "wb") as out:
            while chunk := file.read(CHUNK):
                out.write(chunk)
                megabytes(progress, out.tell(), total)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise Wrong(str(error)) from error


def _accept(file: Path, target: Path, archive: dict, drop: bool = False) -> None:
    """Checks a complete file; records its sha256 if none is published; `drop`s a wrong one."""
    try:
        with open(file, "rb") as content:
            start = content.read(512).lstrip().lower()
        if not start:
            raise Wrong("the file is empty")
        if start.startswith((b"<!doctype html", b"<html")):
            raise Wrong("it is a web page instead of the file (a login or a form?)")
        record = target.with_name(target.name + ".sha256")
        expected = _checksum(archive)
        kind, wanted, where = (*expected, "") if expected else ("sha256", None, "")
        if kind == "sha1":  # of the files inside, whoever packed them
            return check(file, wanted)
        if not expected and record.exists():
            wanted = (record.read_text().split() or [""])[0]
            where = f" (recorded at its first use; delete {record} to accept another file)"
        size, known = file.stat().st_size, archive.get("bytes")
        if wanted is None and known and size != known and not archive.get("about"):
            raise Wrong(f"it has {size} bytes, expected {known}: truncated, or another file")
        found = _digest(file, kind)
        if wanted is None:
            whole(file)
            with open(record.with_name(record.name + ".part"), "w") as out:
                out.write(f"{found}  {target.name}\n")
            os.replace(out.name, record)
        elif len(wanted) < 8 or not found.startswith(wanted.lower()):
            raise Wrong(f"{kind} of its {size} bytes is {found}, expected {wanted}{where}")
    except (Wrong, ValueError) as error:
        if drop:
            file.unlink(missing_ok=True)
        raise _Other(str(error)) from error


def _checksum(archive: dict) -> tuple[str, Any] | None:
    return next(((kind, archive[kind]) for kind in (*DIGESTS, "sha1") if archive.get(kind)), None)


def _digest(file: Path, kind: str) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(
            content, lambda: hashlib.new(kind, usedforsecurity=False)
        ).hexdigest()


def _join(mirror: str, name: str) -> str:
    if urlsplit(mirror).scheme in ("http", "https", "file"):
        return f"{mirror.rstrip('/')}/{quote(name)}"
    return str(Path(mirror).expanduser() / name)


def _local(source: str) -> Path | None:
    """The file that a source without http(s):// or package:// means."""
    if source.startswith("file://"):
        return Path(url2pathname(urlsplit(source).path))
    return None if source.startswith(("http://", "https://", "package://")) else Path(source)


def _advice(archive: dict, target: Path, reasons: list[str]) -> str:
    lines = [f"could not get {archive['name']}:"]
    lines += [f"  {reason}" for reason in reasons] or [
        "  it has no public link, and no mirror is set"
    ]
    kind, wanted = _checksum(archive) or ("", "")
    known = f" ({kind} {wanted})" if kind in DIGESTS else ""
    lines.append(
        f"Put the file{known} at {target.absolute()} by hand, or its folder into `mirrors:`."
    )
    if archive.get("hint"):
        lines.append(archive["hint"])
    return "\n".join(lines)
