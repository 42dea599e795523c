"""Gets a file from mirrors or public links (an archive, weights): whole and checked, or not at all.

A download goes to `<file>.part`, is resumed after an interruption, and takes its name only when it
has been checked. Where the publisher gives no checksum, the one of the first file that was used is
kept in `<file>.sha256` and enforced from then on. NEARND_OFFLINE=1 leaves only local sources.
"""

import bz2
import gzip
import hashlib
import http.client
import json
import lzma
import os
import shutil
import ssl
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from nearnd.contracts import Progress, silent
from nearnd.files.arrays import NO_ROOM

ATTEMPTS = 4  # per source, without progress in between
CHUNK = 1 << 20
TIMEOUT = 30.0  # seconds without a byte
BUSY = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be gone the next time
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


class FetchError(OSError):
    """No source gave the file; the message lists each source with its reason."""


class _Wrong(Exception):
    """This source will not give the file; the reason is the message."""


class _Interrupted(Exception):
    """This source may give the file at another attempt."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


def fetch(
    archive: dict,
    target: Path,
    mirrors: list[str],
    progress: Progress = silent,
    *,
    pause: Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT,
) -> None:
    """Puts the file of `archive` at `target`; see ARCHIVES in `contracts`.

    A file that lies there and is right is kept. `mirrors` are folders, file:// or http(s)://
    prefixes that the name is joined to. `progress` counts megabytes. A checksum may be cut to its
    first digits, at least eight, where no more of it is published; without one the first file must
    have the size that is stated, if any.
    Raises FetchError saying what each source answered and where to put the file by hand, or that
    there is no room; then nothing of the file is left.
    """
    target = Path(target)
    reasons = []
    if target.exists():
        try:
            _accept(target, target, archive)
            return
        except _Wrong as reason:
            reasons.append(f"{target} (the file lying there): {reason}")

    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    sources = [_join(mirror, archive["name"]) for mirror in mirrors] + list(archive["urls"])
    for source in sources:
        if not _checksum(archive):
            part.unlink(missing_ok=True)  # never one file from two sources that may differ
        try:
            _obtain(source, part, target, archive, progress, pause, timeout)
            os.replace(part, target)
            return
        except _Wrong as reason:
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
    raise FetchError(_advice(archive, target, reasons))


def mirrors() -> list[str]:
    """Those of the config, which the workflow gives to its jobs."""
    return json.loads(os.environ.get("NEARND_MIRRORS", "[]"))


def verify(file: str | Path, sha256: str | None) -> None:
    """ValueError if the file is missing, or its sha256 is another than the one given, if any."""
    if not Path(file).is_file():
        raise ValueError(f"there is no file {file}")
    if sha256 and (found := _digest(Path(file), "sha256")) != sha256.lower():
        raise ValueError(f"{file} has sha256 {found}, the entry says {sha256}")


def _obtain(source, part, target, archive, progress, pause, timeout) -> None:
    """A checked file at `part`, or _Wrong."""
    local = _local(source)
    if local is None and os.environ.get("NEARND_OFFLINE", "0") not in ("", "0"):
        raise _Wrong("not asked, NEARND_OFFLINE is set")
    if local is not None:
        _copy(local, part, progress)
        return _accept(part, target, archive, drop=True)

    failures, resumed, once_more, state = 0, False, True, {}
    while True:
        before = part.stat().st_size if part.exists() else 0
        resumed |= before > 0
        try:
            _download(source, part, state, progress, timeout)
        except _Interrupted as reason:
            grown = (part.stat().st_size if part.exists() else 0) - before
            failures = 0 if grown >= CHUNK else failures + 1
            if failures == ATTEMPTS:
                raise _Wrong(f"{reason} (gave up after {ATTEMPTS} attempts)") from reason
            pause(max(reason.wait, 2.0**failures / 2))
            continue
        try:
            return _accept(part, target, archive, drop=True)
        except _Wrong:
            if not (resumed and once_more):
                raise
            once_more = False  # the old beginning may be of another file: from zero, one time


def _download(url: str, part: Path, state: dict, progress: Progress, timeout: float) -> None:
    """Appends what is missing to `part`. `state` keeps the server's mark of the file's version."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(
        url, headers={"User-Agent": "nearnd", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if state.get("version"):
            request.add_header("If-Range", state["version"])
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            if answer.headers.get_content_type() == "text/html" and not url.endswith(".html"):
                raise _Wrong("it answered with a web page instead of the file (a login or a form?)")
            if answer.status != 206 or not _continues(answer, have):
                have = 0
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            state["version"] = "" if version.startswith("W/") else version
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else 0
            with open(part, "ab" if have else "wb") as out:
                while chunk := answer.read1(CHUNK):
                    out.write(chunk)
                    have += len(chunk)
                    _megabytes(progress, have, total)
                out.flush()
                os.fsync(out.fileno())
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing left to send, or our part is not of this file
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink(missing_ok=True)
            raise _Interrupted("the partial file did not fit") from error
        reason = f"{error.code} {error.reason}"
        if error.code in BUSY:
            after = error.headers.get("Retry-After", "")
            raise _Interrupted(reason, min(float(after) if after.isdigit() else 0, 60)) from error
        raise _Wrong(reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if getattr(error, "errno", None) in NO_ROOM:
            raise  # no other attempt and no other source helps
        cause = getattr(error, "reason", error)
        reason = str(cause) or type(cause).__name__
        if isinstance(cause, ssl.SSLCertVerificationError) or isinstance(error, ValueError):
            raise _Wrong(reason) from error
        raise _Interrupted(reason) from error
    if total and have < total:
        raise _Interrupted(f"the connection ended after {have} of {total} bytes")


def _megabytes(progress: Progress, have: int, total: int) -> None:
    progress(-(-have // 10**6), -(-max(have, total) // 10**6))


def _continues(answer, have: int) -> bool:
    return (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")


def _copy(source: Path, part: Path, progress: Progress) -> None:
    if not source.is_file():
        raise _Wrong("no such file")
    try:
        total = source.stat().st_size
        with open(source, "rb") as file, open(part, "wb") as out:
            while chunk := file.read(CHUNK):
                out.write(chunk)
                _megabytes(progress, out.tell(), total)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise _Wrong(str(error)) from error


def _accept(file: Path, target: Path, archive: dict, drop: bool = False) -> None:
    """Checks a complete file; records its sha256 if none is published; `drop`s a wrong one."""
    try:
        with open(file, "rb") as content:
            start = content.read(512).lstrip().lower()
        if not start:
            raise _Wrong("the file is empty")
        if start.startswith((b"<!doctype html", b"<html")):
            raise _Wrong("it is a web page instead of the file (a login or a form?)")
        record = target.with_name(target.name + ".sha256")
        expected = _checksum(archive)
        kind, wanted, where = (*expected, "") if expected else ("sha256", None, "")
        if not expected and record.exists():
            wanted = (record.read_text().split() or [""])[0]
            where = f" (recorded at its first use; delete {record} to accept another file)"
        size, known = file.stat().st_size, archive.get("bytes")
        if wanted is None and known and size != known and not archive.get("about"):
            raise _Wrong(f"it has {size} bytes, expected {known}: truncated, or another file")
        found = _digest(file, kind)
        if wanted is None:
            _whole(file)
            with open(record.with_name(record.name + ".part"), "w") as out:
                out.write(f"{found}  {target.name}\n")
            os.replace(out.name, record)
        elif len(wanted) < 8 or not found.startswith(wanted.lower()):
            raise _Wrong(f"{kind} of its {size} bytes is {found}, expected {wanted}{where}")
    except _Wrong:
        if drop:
            file.unlink(missing_ok=True)
        raise


def _whole(file: Path) -> None:
    """Reads an archive to its end, where the format tells truncated or damaged from whole."""
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
    try:
        with open(file, "rb") as content:
            start = content.read(8)
        opener = next((openers[magic] for magic in openers if start.startswith(magic)), None)
        if opener:
            with opener(file, "rb") as content:
                while content.read(CHUNK):
                    pass
        elif start.startswith(b"PK"):
            with zipfile.ZipFile(file) as content:
                if bad := content.testzip():
                    raise _Wrong(f"damaged: {bad} inside it cannot be read")
        elif ".tar" in file.suffixes:
            with tarfile.open(file, "r:") as content:
                end = max((m.offset_data + m.size for m in content), default=0)
            if end > file.stat().st_size:
                raise _Wrong("truncated")
    except DAMAGE as error:
        raise _Wrong(f"truncated or damaged: {error}") from error


def _checksum(archive: dict) -> tuple[str, str] | None:
    return next(((kind, archive[kind]) for kind in ("sha256", "md5") if archive.get(kind)), None)


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
    """The file that a source without http(s):// means."""
    if source.startswith("file://"):
        return Path(urllib.request.url2pathname(urlsplit(source).path))
    return None if source.startswith(("http://", "https://")) else Path(source)


def _advice(archive: dict, target: Path, reasons: list[str]) -> str:
    lines = [f"could not get {archive['name']}:"]
    lines += [f"  {reason}" for reason in reasons] or [
        "  it has no public link, and no mirror is set"
    ]
    expected = _checksum(archive)
    check = f" ({expected[0]} {expected[1]})" if expected else ""
    lines.append(
        f"Put the file{check} at {target.absolute()} by hand, or its folder into `mirrors:`."
    )
    if archive.get("hint"):
        lines.append(archive["hint"])
    return "\n".join(lines)
