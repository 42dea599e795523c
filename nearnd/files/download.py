"""One file over http(s): resumed after an interruption, and never without end.

A server may send more than it should, a byte now and then, or lead elsewhere: what is sent is
bounded in bytes and from below in pace, and a redirect may only go to the same or a safer scheme.
"""

import email.utils
import gzip
import http.client
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from nearnd.contracts import Progress
from nearnd.files.arrays import NO_ROOM

ATTEMPTS = 4  # per source, without progress in between
CHUNK = 1 << 20
SLOWEST = 5_000  # bytes in a second; a hundred megabytes would take six hours
BUSY = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be gone the next time
LONGEST = 60.0  # seconds to wait because a server says so
GZIP = ("gzip", "x-gzip")


class Wrong(Exception):
    """This source will not give the file; the reason is the message."""


class _Interrupted(Exception):
    """This source may give the file at another attempt."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


class _Redirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, message, headers, url):
        if urlsplit(url).scheme not in ("https", urlsplit(request.full_url).scheme):
            raise Wrong(f"it leads to {url}, which is not asked")
        return super().redirect_request(request, fp, code, message, headers, url)


def download(
    url: str,
    part: Path,
    most: int,
    progress: Progress,
    pause: Callable[[float], None],
    timeout: float,
    attempts: int = ATTEMPTS,
) -> tuple[bool, bool]:
    """Brings `part` to its end, at most `most` bytes. Wrong if the server does not give it.

    Returns whether it is packed with gzip for the way, and whether it came in several parts.
    """
    failures, resumed, state = 0, False, {}
    while True:
        before = _size(part)
        resumed |= before > 0
        try:
            _attempt(url, part, most, state, progress, timeout)
            return state.get("packed", False), resumed
        except _Interrupted as reason:
            failures = 0 if _size(part) - before >= CHUNK else failures + 1
            if failures == attempts:
                raise Wrong(f"{reason} (gave up after {attempts} attempts)") from reason
            pause(max(reason.wait, 2.0**failures / 2))


def unpack(part: Path, most: int) -> None:
    """Takes off the packing that a server put on for the way. Wrong if more than `most` bytes."""
    plain, have = part.with_name(part.name + ".plain"), 0
    try:
        with gzip.open(part) as packed, open(plain, "wb") as out:
            while piece := packed.read(CHUNK):
                have += out.write(piece)
                bounded(have, most)
        os.replace(plain, part)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Wrong(f"it came packed with gzip, and damaged: {error}") from error
    finally:
        plain.unlink(missing_ok=True)


def twice_packed(part: Path) -> bool:
    """Whether a gzip file has another one inside."""
    try:
        with gzip.open(part) as content:
            return content.read(2) == b"\x1f\x8b"
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


def bounded(have: int, most: int) -> None:
    if have > most:
        raise Wrong(f"it is larger than the {most} bytes that this file may have: another file")


def megabytes(progress: Progress, have: int, total: int) -> None:
    progress(-(-have // 10**6), -(-max(have, total) // 10**6))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _attempt(
    url: str, part: Path, most: int, state: dict, progress: Progress, timeout: float
) -> None:
    """Appends what is missing to `part`. `state` keeps the server's mark of the file's version."""
    have = _size(part)
    request = urllib.request.Request(
        url, headers={"User-Agent": "nearnd", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if state.get("version"):
            request.add_header("If-Range", state["version"])
    pieces = _pieces(request, timeout)
    try:
        answer = next(pieces)
        if answer.headers.get_content_type() == "text/html" and not url.endswith(".html"):
            raise Wrong("it answered with a web page instead of the file (a login or a form?)")
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in (*GZIP, "identity", ""):
            raise Wrong(f"it answers with the encoding {encoding}, which was not asked for")
        if answer.status != 206 or not _continues(answer, have):
            have = 0
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        state["version"] = "" if version.startswith("W/") else version
        state["packed"] = encoding in GZIP
        most += most // 100 + 1000 if state["packed"] else 0  # what is random grows when packed
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else 0
        bounded(total, most)
        with open(part, "ab" if have else "wb") as out:
            for piece in pieces:
                have += len(piece)
                if have > most:
                    part.unlink()
                    bounded(have, most)
                out.write(piece)
                megabytes(progress, have, total)
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
            raise _Interrupted(reason, _after(error.headers.get("Retry-After", ""))) from error
        raise Wrong(reason) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        if getattr(error, "errno", None) in NO_ROOM:
            raise  # no other attempt and no other source helps
        cause = getattr(error, "reason", error)
        reason = str(cause) or type(cause).__name__
        if isinstance(cause, ssl.SSLCertVerificationError) or isinstance(error, ValueError):
            raise Wrong(reason) from error
        raise _Interrupted(reason) from error
    finally:
        pieces.close()
    if total and have < total:
        raise _Interrupted(f"the connection ended after {have} of {total} bytes")


def _pieces(request: urllib.request.Request, timeout: float) -> Iterator:
    """The answer, then its bytes as they come; _Interrupted where they come too slowly.

    A thread reads, so that no part of an answer, not even a line of its head, can hold up the job:
    a socket's own timeout begins anew with each byte.
    """
    found: queue.Queue = queue.Queue(8)
    stopped = threading.Event()

    def read() -> None:
        try:
            opener = urllib.request.build_opener(_Redirect)
            with opener.open(request, timeout=timeout) as answer:
                found.put(answer)
                while not stopped.is_set() and (piece := answer.read1(CHUNK)):
                    found.put(piece)
            found.put(None)
        except BaseException as error:
            found.put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        began, got = time.monotonic(), 0
        while True:
            try:
                item = found.get(timeout=max(0.0, began + timeout - time.monotonic()))
            except queue.Empty:
                item = b""
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            if not isinstance(item, bytes):
                yield item
                began = time.monotonic()
                continue
            if item:
                yield item
            got += len(item)
            if time.monotonic() - began >= timeout:
                if got < SLOWEST * timeout:
                    raise _Interrupted(f"less than {SLOWEST} bytes a second came (timed out)")
                began, got = time.monotonic(), 0
    finally:
        stopped.set()
        while not found.empty():  # a thread that waits to hand over goes on, and ends
            found.get()


def _after(text: str) -> float:
    """The seconds that Retry-After says, as a number or as a date; 0 if it says neither."""
    try:
        seconds = int(text)
    except ValueError:
        try:
            seconds = email.utils.mktime_tz(email.utils.parsedate_tz(text)) - time.time()
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST)


def _continues(answer, have: int) -> bool:
    return (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
