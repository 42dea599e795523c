"""Fetching: what arrives is whole and right, whatever the server does; loopback only."""

import contextlib
import email.utils
import gzip
import hashlib
import io
import json
import resource
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from nearnd import plugins
from nearnd.files.arrays import save_tensors
from nearnd.files.download import ATTEMPTS
from nearnd.files.fetch import FetchError, fetch, verify

DATA = np.random.default_rng(0).bytes(3_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server:
    """Answers with `faults`, one per request, then with the file. Remembers what it was asked."""

    def __init__(self):
        self.faults, self.asked, self.data, self.version = [], [], DATA, '"v1"'
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Range")))
                fault = outer.faults.pop(0) if outer.faults else None
                (fault or outer.ok)(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def ok(self, request, give=None):
        """The file, or the rest of it; `give` bytes only, then the connection ends."""
        start, wanted = 0, request.headers.get("Range")
        if wanted and request.headers.get("If-Range") in (None, self.version):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.data):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.data)}")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            span = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            request.send_header("Content-Range", span)
        request.send_header("ETag", self.version)
        request.send_header("Content-Length", str(len(self.data) - start))
        request.end_headers()
        request.wfile.write(self.data[start:][:give])

    def cut(self, give):
        return lambda request: self.ok(request, give)

    def hang(self, give, release):
        def fault(request):
            self.ok(request, give)
            release.wait(5)

        return fault

    @staticmethod
    def status(code, **headers):
        def fault(request):
            request.send_response(code)
            for name, value in headers.items():
                request.send_header(name.replace("_", "-"), value)
            request.end_headers()

        return fault


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("NEARND_OFFLINE", raising=False)
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def archive(server=None, **changes):
    urls = [f"{server.url}/set.bin"] if server else []
    return {"name": "set.bin", "urls": urls, "sha256": SHA256, "hint": "Ask Ada."} | changes


def get(archive, target, mirrors=(), **more):
    """Fetches without waiting; returns the pauses it would have made."""
    pauses = []
    fetch(archive, target, list(mirrors), pause=pauses.append, **more)
    return pauses


def test_download_is_the_file_and_leaves_nothing_else(server, tmp_path):
    seen = []
    target = tmp_path / "archives" / "set.bin"
    get(archive(server), target, progress=lambda step, total: seen.append((step, total)))
    assert target.read_bytes() == DATA
    assert [file.name for file in target.parent.iterdir()] == ["set.bin"]
    assert seen[-1] == (3, 3)
    assert seen == sorted(seen)


def test_right_file_is_kept_without_asking_anyone(server, tmp_path):
    (tmp_path / "set.bin").write_bytes(DATA)
    get(archive(server), tmp_path / "set.bin")
    assert server.asked == []


def test_wrong_file_is_replaced_but_only_by_a_right_one(server, tmp_path):
    target = tmp_path / "set.bin"
    target.write_bytes(b"old")
    server.faults = [Server.status(404)]
    with pytest.raises(FetchError, match="file lying there"):
        get(archive(server), target)
    assert target.read_bytes() == b"old"
    get(archive(server), target)
    assert target.read_bytes() == DATA


def test_mirror_comes_first(server, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.bin").write_bytes(DATA)
    for i, mirror in enumerate((str(tmp_path / "mirror"), (tmp_path / "mirror").as_uri())):
        get(archive(server), tmp_path / str(i) / "set.bin", [mirror])
        assert (tmp_path / str(i) / "set.bin").read_bytes() == DATA
    assert server.asked == []
    get(archive(server), tmp_path / "2" / "set.bin", [f"{server.url}/copies/"])
    assert server.asked == [("/copies/set.bin", None)]


def test_bad_mirror_is_passed_over(server, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.bin").write_bytes(DATA[:-1])
    mirrors = [str(tmp_path / "nowhere"), str(tmp_path / "mirror")]
    get(archive(server), tmp_path / "set.bin", mirrors)
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert len(server.asked) == 1


def test_gone_is_not_asked_again_and_the_next_link_is(server, tmp_path):
    server.faults = [Server.status(404)]
    urls = [f"{server.url}/old.bin", f"{server.url}/new.bin"]
    assert get(archive(urls=urls), tmp_path / "set.bin") == []
    assert [path for path, _ in server.asked] == ["/old.bin", "/new.bin"]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_busy_server_is_asked_again_later(server, tmp_path, code):
    server.faults = [Server.status(code), Server.status(code)]
    pauses = get(archive(server), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert len(pauses) == 2
    assert pauses[1] > pauses[0] > 0


def test_server_says_how_long_to_wait_but_not_for_ever(server, tmp_path):
    server.faults = [Server.status(503, Retry_After="7"), Server.status(503, Retry_After="99999")]
    assert get(archive(server), tmp_path / "set.bin") == [7, 60]


def test_attempts_are_bounded(server, tmp_path):
    server.faults = [Server.status(500)] * 50
    with pytest.raises(FetchError, match="500"):
        get(archive(server), tmp_path / "set.bin")
    assert len(server.asked) == ATTEMPTS


def test_broken_connection_goes_on_where_it_stopped(server, tmp_path):
    server.faults = [server.cut(1_000_000)]
    get(archive(server), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert [span for _, span in server.asked] == [None, "bytes=1000000-"]


def test_flaky_line_that_gets_on_is_not_given_up(server, tmp_path):
    server.data = DATA * 4
    server.faults = [server.cut(1_100_000)] * 10
    sha256 = hashlib.sha256(server.data).hexdigest()
    get(archive(server, sha256=sha256), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == server.data
    assert len(server.asked) == 11 > ATTEMPTS


def test_partial_file_of_a_killed_job_is_continued(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(DATA[:2_000_000])
    get(archive(server), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert [span for _, span in server.asked] == ["bytes=2000000-"]


def test_partial_file_that_was_complete_needs_no_more_bytes(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(DATA)
    get(archive(server), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA


@pytest.mark.parametrize("size", [1_000_000, 4_000_000])
def test_partial_file_of_something_else_starts_from_zero(server, tmp_path, size):
    (tmp_path / "set.bin.part").write_bytes(b"x" * size)
    get(archive(server), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert [span for _, span in server.asked] == [f"bytes={size}-", None]


def test_partial_file_is_not_continued_without_a_checksum(server, tmp_path):
    (tmp_path / "set.bin.part").write_bytes(b"x" * 1000)
    get(archive(server, sha256=None), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA


def test_file_that_changes_between_two_attempts_is_not_mixed(server, tmp_path):
    def cut_then_change(request):
        server.ok(request, 1_000_000)
        server.data, server.version = DATA[::-1], '"v2"'

    server.faults = [cut_then_change]
    get(archive(server, sha256=None), tmp_path / "set.bin")
    assert (tmp_path / "set.bin").read_bytes() == DATA[::-1]


def test_silent_server_times_out_and_is_resumed(server, tmp_path):
    release = threading.Event()
    server.faults = [server.hang(500_000, release)]
    get(archive(server), tmp_path / "set.bin", timeout=0.3)
    release.set()
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert server.asked[1][1] == "bytes=500000-"


def test_wrong_content_is_refused_once_with_both_checksums(server, tmp_path):
    server.data = b"x" + DATA[1:]
    with pytest.raises(FetchError) as error:
        get(archive(server), tmp_path / "set.bin")
    assert SHA256 in str(error.value)
    assert hashlib.sha256(server.data).hexdigest() in str(error.value)
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_md5_is_checked_where_that_is_what_is_published(server, tmp_path):
    right = hashlib.md5(DATA).hexdigest()
    get(archive(server, sha256=None, md5=right.upper()), tmp_path / "set.bin")
    with pytest.raises(FetchError, match="md5"):
        get(archive(server, sha256=None, md5="0" * 32), tmp_path / "other.bin")


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("sha256", [SHA256, None])
def test_web_page_is_not_taken_for_the_file(server, tmp_path, kind, sha256):
    def page(request):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(b"\n<!DOCTYPE html><title>Log in</title>")

    server.faults = [page]
    with pytest.raises(FetchError, match="web page"):
        get(archive(server, sha256=sha256), tmp_path / "set.bin")
    assert list(tmp_path.iterdir()) == []


def tar_gz():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("a/b.bin")
        info.size = 200_000
        tar.addfile(info, io.BytesIO(DATA[:200_000]))
    return out.getvalue()


def zipped():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.bin", DATA[:200_000])
    return out.getvalue()


def flipped(data):
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 255]) + data[len(data) // 2 + 1 :]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("truncated.tar.gz", tar_gz()[:-5000]),
        ("flipped.tar.gz", flipped(tar_gz())),
        ("truncated.tar", gzip.decompress(tar_gz())[:150_000]),
        ("truncated.zip", zipped()[:-100]),
        ("flipped.zip", flipped(zipped())),
        ("empty.tar.gz", b""),
    ],
)
def test_damage_is_found_without_a_checksum(tmp_path, name, data):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / name).write_bytes(data)
    with pytest.raises(FetchError, match=r"truncated|damaged|empty"):
        get(archive(name=name, sha256=None), tmp_path / name, [str(tmp_path / "mirror")])
    assert [file.name for file in tmp_path.iterdir()] == ["mirror"]


@pytest.mark.parametrize(("name", "data"), [("a.tar.gz", tar_gz()), ("a.zip", zipped())])
def test_first_use_is_recorded_and_enforced(tmp_path, name, data):
    mirror, target = tmp_path / "mirror", tmp_path / "here" / name
    mirror.mkdir()
    (mirror / name).write_bytes(data)
    spec = archive(name=name, sha256=None)
    get(spec, target, [str(mirror)])
    record = target.with_name(name + ".sha256")
    assert record.read_text() == f"{hashlib.sha256(data).hexdigest()}  {name}\n"

    target.unlink()
    (mirror / name).write_bytes(gzip.compress(b"another file"))
    with pytest.raises(FetchError, match=r"recorded at its first use; delete .*\.sha256"):
        get(spec, target, [str(mirror)])
    record.unlink()
    get(spec, target, [str(mirror)])
    assert target.read_bytes() == (mirror / name).read_bytes()


def test_offline_asks_no_server_but_reads_folders(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NEARND_OFFLINE", "1")
    with pytest.raises(FetchError, match="NEARND_OFFLINE"):
        get(archive(server), tmp_path / "set.bin", [server.url])
    assert server.asked == []
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.bin").write_bytes(DATA)
    get(archive(server), tmp_path / "set.bin", [(tmp_path / "mirror").as_uri()])
    assert (tmp_path / "set.bin").read_bytes() == DATA


def test_last_error_lists_every_source_and_the_way_out(server, tmp_path):
    server.faults = [Server.status(403)]
    target = tmp_path / "set.bin"
    urls = [f"{server.url}/set.bin", "http://127.0.0.1:9/set.bin"]
    with pytest.raises(FetchError) as error:
        get(archive(urls=urls), target, [str(tmp_path / "nowhere")])
    text = str(error.value)
    for part in ("no such file", "403", urls[1], "refused", str(target), SHA256, "Ask Ada."):
        assert part in text
    with pytest.raises(FetchError, match="no public link"):
        get(archive(), target)


@pytest.mark.parametrize("kind", ["link", "mirror"])
def test_a_full_disk_is_said_at_once_and_nothing_is_left(server, tmp_path, kind):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "set.bin").write_bytes(DATA)
    mirrors = [str(tmp_path / "mirror")] if kind == "mirror" else []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with pytest.raises(FetchError, match=r"no room for set.bin in .*job: .* make room and st"):
            get(archive(server), tmp_path / "job" / "set.bin", mirrors)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(server.asked) == (kind == "link")
    assert list((tmp_path / "job").iterdir()) == []
    get(archive(server), tmp_path / "job" / "set.bin", mirrors)
    assert (tmp_path / "job" / "set.bin").read_bytes() == DATA


def test_the_start_of_a_checksum_is_enough_if_it_is_long_enough(server, tmp_path):
    get(archive(server, sha256=SHA256[:8]), tmp_path / "set.bin")
    for wrong in (SHA256[:7], "0" + SHA256[:8], SHA256 + "0"):
        with pytest.raises(FetchError, match=f"expected {wrong}"):
            get(archive(server, sha256=wrong), tmp_path / "other.bin")


def test_without_a_checksum_the_stated_size_is_enforced_unless_it_is_a_guess(server, tmp_path):
    archive = {"name": "a.npy", "urls": [f"{server.url}/a.npy"], "sha256": None}
    with pytest.raises(FetchError, match="it has 3000000 bytes, expected 3000001"):
        fetch(archive | {"bytes": len(DATA) + 1}, tmp_path / "a.npy", [])
    assert list(tmp_path.iterdir()) == []
    guess = {"bytes": len(DATA) + 1, "about": True}
    for n, size in enumerate([{"bytes": len(DATA)}, guess, guess | {"sha256": SHA256}]):
        fetch(archive | size, tmp_path / f"{n}.npy", [])
        assert (tmp_path / f"{n}.npy").read_bytes() == DATA


def test_a_file_that_the_user_placed_is_checked_where_it_is(tmp_path):
    (tmp_path / "a.bin").write_bytes(DATA)
    verify(tmp_path / "a.bin", None)
    verify(tmp_path / "a.bin", SHA256.upper())
    with pytest.raises(ValueError, match=f"has sha256 {SHA256}, the entry says 00"):
        verify(tmp_path / "a.bin", "0" * 64)
    with pytest.raises(ValueError, match="there is no file"):
        verify(tmp_path / "b.bin", None)


# ---- servers that send too much, too slowly, from elsewhere or packed ----


def endless(request):
    request.send_response(200)
    request.end_headers()
    with contextlib.suppress(OSError):
        while True:
            request.wfile.write(bytes(1 << 20))


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [{"bytes": 1_000_000}, {"bytes": 1_000_000, "about": True}])
@pytest.mark.parametrize("sha256", [SHA256, None])
def test_no_more_is_taken_than_the_file_may_have(server, tmp_path, announced, size, sha256):
    server.faults = [] if announced else [endless]
    with pytest.raises(FetchError, match="larger than the [12]000000 bytes"):
        get(archive(server, sha256=sha256) | size, tmp_path / "set.bin")
    assert len(server.asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_unknown_size_is_bounded_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr("nearnd.files.fetch.UNKNOWN", 2_000_000)
    server.faults = [endless]
    with pytest.raises(FetchError, match="larger than the 2000000 bytes"):
        get(archive(server, sha256=None), tmp_path / "set.bin")


def drip(before: bytes, drops: bytes, done: threading.Event):
    """Sends what is `before` at once, then a drop now and then."""

    def fault(request):
        with contextlib.suppress(OSError):
            request.wfile.write(before)
            while not done.wait(0.05):
                request.wfile.write(drops)

    return fault


HEAD = b"HTTP/1.0 200 OK\r\n"


@pytest.mark.parametrize(
    ("before", "drops"),
    [
        (HEAD + b"Content-Length: 3000000\r\n\r\n", b"x"),
        (HEAD + b"\r\n", b"x"),
        (HEAD + b"X: ", b"x"),
        (HEAD, b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
    ],
)
def test_a_byte_now_and_then_does_not_go_on_for_ever(server, tmp_path, before, drops):
    done = threading.Event()
    server.faults = [drip(before, drops, done)] * ATTEMPTS
    with pytest.raises(FetchError, match="less than 5000 bytes a second"):
        get(archive(server), tmp_path / "set.bin", timeout=0.3)
    done.set()
    assert len(server.asked) == ATTEMPTS


def test_a_download_that_becomes_too_slow_is_resumed(server, tmp_path):
    done = threading.Event()
    head = HEAD + b"Content-Length: 3000000\r\n\r\n"
    server.faults = [drip(head + DATA[:400_000], DATA[400_000:400_001], done)]
    get(archive(server), tmp_path / "set.bin", timeout=0.3)
    done.set()
    assert (tmp_path / "set.bin").read_bytes() == DATA
    assert server.asked[1][1].startswith("bytes=4")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1:9/x", "file:///etc/hostname", "data:,x", "//[::1"]
)
def test_a_redirect_to_another_scheme_is_refused(server, tmp_path, url):
    server.faults = [Server.status(302, Location=url)]
    with pytest.raises(FetchError):
        get(archive(server, sha256=None), tmp_path / "set.bin")
    assert list(tmp_path.iterdir()) == []
    server.faults = [Server.status(302, Location="/elsewhere")]
    get(archive(server), tmp_path / "set.bin")
    assert server.asked[-1][0] == "/elsewhere"


@pytest.mark.parametrize(
    ("after", "wait"),
    [(30, pytest.approx(30, abs=3)), (-100, 1), (10**6, 60), ("soon", 1), ("\u00b2", 1)],
)
def test_a_date_says_how_long_to_wait(server, tmp_path, after, wait):
    if isinstance(after, int):
        after = email.utils.formatdate(time.time() + after, usegmt=True)
    server.faults = [Server.status(503, Retry_After=after)]
    pauses = get(archive(server), tmp_path / "set.bin")
    assert pauses == [wait]


def encoded(content: bytes, encoding="gzip"):
    def fault(request):
        request.send_response(200)
        request.send_header("Content-Encoding", encoding)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return fault


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_what_a_server_packs_for_the_way_is_unpacked(server, tmp_path, sha256):
    packed = gzip.compress(DATA)
    for i, size in enumerate(({}, {"bytes": len(DATA)})):
        server.faults = [encoded(packed)]
        get(archive(server, sha256=sha256) | size, tmp_path / str(i) / "set.bin")
        assert (tmp_path / str(i) / "set.bin").read_bytes() == DATA
        assert not list((tmp_path / str(i)).glob("*.p*"))
    server.faults = [encoded(packed[:-9])]
    with pytest.raises(FetchError, match="packed with gzip, and damaged"):
        get(archive(server, sha256=sha256), tmp_path / "x" / "set.bin")
    server.faults = [encoded(gzip.compress(bytes(5_000_000)))]
    with pytest.raises(FetchError, match="larger than"):
        get(archive(server, sha256=sha256, bytes=4_000_000), tmp_path / "x" / "set.bin")
    server.faults = [encoded(b"x", "br")]
    with pytest.raises(FetchError, match="encoding br"):
        get(archive(server, sha256=sha256), tmp_path / "x" / "set.bin")
    assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize("twice", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_the_packing_of_the_file_itself_stays(server, tmp_path, twice, known):
    """Servers announce a .tar.gz as encoded, be it packed for the way or not."""
    data = tar_gz()
    sha256 = hashlib.sha256(data).hexdigest() if known else None
    server.faults = [encoded(gzip.compress(data) if twice else data)]
    urls = [f"{server.url}/a.tar.gz"]
    get(archive(name="a.tar.gz", urls=urls, sha256=sha256), tmp_path / "a.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == data


# ---- archives that anybody packed ----

FILES = {f"official/{i}.bin": DATA[i * 1000 : i * 1000 + 900] for i in range(3)}
SHA1 = {name: hashlib.sha1(content).hexdigest() for name, content in FILES.items()}
ANYBODYS = {"name": "set.tar.gz", "urls": [], "sha1": SHA1, "bytes": 3000}


def pack(path, files, mode="w:gz"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("place", ["official/", "./official/", "mine/deeper/", ""])
def test_an_archive_is_known_by_the_files_inside(tmp_path, place):
    files = {name.replace("official/", place): content for name, content in FILES.items()}
    pack(tmp_path / "mirror" / "set.tar.gz", {"read.me": b"x"} | dict(reversed(files.items())))
    get(ANYBODYS, tmp_path / "here" / "set.tar.gz", [str(tmp_path / "mirror")])
    get(ANYBODYS, tmp_path / "here" / "set.tar.gz")  # it is there, and right
    assert not (tmp_path / "here" / "set.tar.gz.sha256").exists()  # another packing will do


def test_an_archive_with_another_file_inside_is_refused(tmp_path):
    for changed, reason in (
        ({"official/1.bin": b"other"}, "1.bin inside it has SHA-1 .*, published is"),
        ({"official/1.bin": None}, "has no 1.bin in it"),
    ):
        files = {k: v for k, v in (FILES | changed).items() if v is not None}
        pack(tmp_path / "mirror" / "set.tar.gz", files)
        with pytest.raises(FetchError, match=reason):
            get(ANYBODYS, tmp_path / "here" / "set.tar.gz", [str(tmp_path / "mirror")])


@pytest.mark.parametrize("place", ["mirror", "here"])
def test_the_unpacked_folder_will_do(tmp_path, place):
    for name, content in FILES.items():
        (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place / name).write_bytes(content)
    target = tmp_path / "here" / "set.tar.gz"
    get(ANYBODYS, target, [str(tmp_path / "mirror")])
    with tarfile.open(target) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == FILES
    target.unlink()
    (tmp_path / place / "official/2.bin").write_bytes(b"other")
    with pytest.raises(FetchError, match=r"2\.bin inside it has SHA-1"):
        get(ANYBODYS, target, [str(tmp_path / "mirror")])


# ---- weights ----


def made(folder, **entry):
    return plugins.build("backbones", entry).make(
        None, [], seed=0, folder=folder, progress=lambda *_, **__: None
    )


def test_weights_of_timm_are_looked_for_in_mirrors(tmp_path, monkeypatch):
    model = {"kind": "timm", "model": "test_vit.r160_in1k", "kwargs": {"depth": 1}}
    (tmp_path / "mirror").mkdir()
    weights, _ = made(tmp_path, weights="none", **model)
    save_tensors(tmp_path / "mirror" / "test_vit.r160_in1k.safetensors", weights)
    monkeypatch.setenv("NEARND_MIRRORS", json.dumps([str(tmp_path / "mirror")]))
    found, _ = made(tmp_path / "job", **model)
    assert found.keys() == weights.keys()
    assert all((found[name] == w).all() for name, w in weights.items())
    with pytest.raises(ValueError, match=r"test_vit.r160_in1k.safetensors does not fit"):
        made(tmp_path / "other", **model | {"kwargs": {"embed_dim": 32}})


def test_weights_of_timm_come_from_its_link_and_are_held_to_their_first_use(
    server, tmp_path, monkeypatch
):
    model = {"kind": "timm", "model": "test_vit.r160_in1k", "kwargs": {"depth": 1}}
    weights, _ = made(tmp_path, weights="none", **model)
    save_tensors(tmp_path / "w.safetensors", weights)
    server.data = (tmp_path / "w.safetensors").read_bytes()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("NEARND_MIRRORS", json.dumps([str(tmp_path / "empty")]))
    server.faults = [server.cut(1000)]
    folder = tmp_path / "job"
    found, _ = made(folder, **model)
    assert all((found[name] == w).all() for name, w in weights.items())
    path = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
    assert server.asked == [(path, None), (path, "bytes=1000-")]
    made(folder, **model)
    assert len(server.asked) == 2  # it is there
    right = hashlib.sha256(server.data).hexdigest()
    made(tmp_path / "stated", sha256=right, **model)
    (folder / "test_vit.r160_in1k.safetensors").unlink()
    server.data = b"x" + server.data[1:]
    with pytest.raises(FetchError, match=rf"expected {right} \(recorded at its first use"):
        made(folder, **model)
    with pytest.raises(FetchError, match=rf"expected {right}(.|\n)*weights: <that file>"):
        made(tmp_path / "wrong", sha256=right, **model)


def test_weights_of_inception_are_looked_for_in_mirrors(server, tmp_path, monkeypatch):
    save_tensors(tmp_path / "a.safetensors", {"x": np.arange(3.0)})
    server.data = (tmp_path / "a.safetensors").read_bytes()
    start = hashlib.sha256(server.data).hexdigest()[:8]
    url = f"{server.url}/weights-{start}.safetensors"
    monkeypatch.setattr("nearnd.networks.inception.URL", url)
    weights, _ = made(tmp_path / "job", kind="inception")
    assert weights["x"].tolist() == [0, 1, 2]
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / f"weights-{start}.safetensors").write_bytes(server.data)
    monkeypatch.setenv("NEARND_MIRRORS", json.dumps([str(tmp_path / "mirror")]))
    server.asked.clear()
    made(tmp_path / "another", kind="inception")
    assert server.asked == []
    server.data = b"x" + server.data[1:]
    monkeypatch.setenv("NEARND_MIRRORS", "[]")
    with pytest.raises(OSError, match=rf"expected {start}(.|\n)*weights: <that file>"):
        made(tmp_path / "third", kind="inception")
