"""Archives of a few megabytes that would fill a machine: refused, with little memory taken."""

import gzip
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nearnd.datasets import _members
from nearnd.datasets._mat import read_mat
from nearnd.files import packed

ROOT = Path(__file__).resolve().parents[1]
MEMORY = 250  # megabytes beyond what the imports take
ZEROS = gzip.compress(bytes(1 << 24))  # 16 MB; packed parts one after the other are one stream


def header(kind: bytes, size: int, name="a/Dataset 1/001.bmp") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return gzip.compress(info.tobuf())


def huge(kind: bytes) -> bytes:
    """A tar.gz of one entry of 1 GB."""
    return header(kind, 1 << 30) + ZEROS * 64 + gzip.compress(bytes(1024))


def chain(kind: bytes, n: int, size: int) -> bytes:
    """Many headers, each with a text of its own, and an empty file behind each."""
    out = []
    for i in range(n):
        text = b"%d" % i + b"k" * (size - 20)
        line = b"%d %s=v\n" % (len(text) + 10, text) if kind == b"g" else text
        out += [tarfile.TarInfo("x")]
        out[-1].type, out[-1].size = kind, len(line)
        out[-1] = out[-1].tobuf() + line + bytes(-len(line) % 512)
        out.append(tarfile.TarInfo(f"a/{i}").tobuf())
    return gzip.compress(b"".join(out), 1)


def empty(n: int) -> bytes:
    return gzip.compress(tarfile.TarInfo("a/Dataset 1/001.bmp").tobuf() * 4096, 9) * (n // 4096)


def zip_of(method: int, lie: int | None = None, size: int = 1 << 29) -> bytes:
    """One file; `lie` is the size that the table of contents gives."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file, file.open("a/Dataset 1/001.bmp", "w") as inside:
        for _ in range(size >> 24):
            inside.write(bytes(1 << 24))
    content = out.getvalue()
    wrong = (size if lie is None else lie).to_bytes(4, "little")
    return content.replace(size.to_bytes(4, "little"), wrong)


def same_file_often() -> bytes:
    """A zip whose table of contents names one packed file of 64 MB a thousand times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/Dataset 1/001.bmp", bytes(1 << 26))
        info = file.infolist()[0]
        for _ in range(1000):
            again = zipfile.ZipInfo("a/Dataset 1/001.bmp")
            for field in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(again, field, getattr(info, field))
            file.filelist.append(again)
    return out.getvalue()


BOMBS = {
    "one big file": lambda: huge(tarfile.REGTYPE),
    "a big file that nobody wants": lambda: header(b"0", 1 << 30, "x") + ZEROS * 64,
    "pax header": lambda: huge(tarfile.XHDTYPE),
    "global pax header": lambda: huge(tarfile.XGLTYPE),
    "GNU long name": lambda: huge(tarfile.GNUTYPE_LONGNAME),
    "GNU long link": lambda: huge(tarfile.GNUTYPE_LONGLINK),
    "global headers that add up": lambda: chain(b"g", 6000, 60_000),
    "long names that add up": lambda: chain(b"L", 6000, 60_000),
    "empty entries": lambda: empty(250_000),
    "deflated": lambda: zip_of(zipfile.ZIP_DEFLATED),
    "larger than it says": lambda: zip_of(zipfile.ZIP_DEFLATED, 1000),
    "bzip2 in a zip": lambda: zip_of(zipfile.ZIP_BZIP2, 1000, 1 << 27),
    "lzma in a zip": lambda: zip_of(zipfile.ZIP_LZMA, 1000, 1 << 25),
    "one file named often": same_file_often,
}


READ = {  # what reads it, below a limit of memory
    "wbc": "wbc.build().read({next(iter(wbc.ARCHIVES)): at})",
    "weather": "weather.build().read({'dataset2.zip': at})",
    "cifar10": "cifar10.build().read({'cifar-10-binary.tar.gz': at})",
    "fetch": "packed.whole(at)",
}


@pytest.mark.parametrize(
    ("bomb", "reader"),
    [(bomb, "wbc") for bomb in BOMBS]
    + [("pax header", "weather"), ("one big file", "cifar10"), ("deflated", "fetch")],
)
def test_a_bomb_is_refused_in_little_memory(bomb, reader, tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(BOMBS[bomb]())
    assert file.stat().st_size < 3_000_000
    code = (
        "import resource, sys, pathlib; from nearnd.files import packed;"
        f"from nearnd.datasets import cifar10, wbc, weather; at = pathlib.Path({str(file)!r});"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY * 10**6},) * 2)\n"
        f"try: {READ[reader]}\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"a\.tar\.gz\b.*(bomb|another archive|damaged|sha256)", done.stdout), done
    assert "MemoryError" not in done.stdout


def test_an_archive_within_the_limits_is_read_and_one_entry_more_is_not(tmp_path, monkeypatch):
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as tar:
        for i in range(5):
            tar.addfile(tarfile.TarInfo(f"{i}.txt"))
    assert len(list(packed.entries(file))) == 5
    monkeypatch.setattr(packed, "ENTRIES", 4)
    with pytest.raises(ValueError, match=r"a\.tar has more than 4 entries"):
        list(packed.entries(file))


def test_an_array_is_no_larger_than_its_bytes_and_never_a_pickle():
    whole, claimed, boxed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(whole, np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    assert np.array_equal(
        _members.array(whole.getvalue(), "x", (2, 3), ["float64"]), np.arange(6.0).reshape(2, 3)
    )
    for file, kind in ((claimed, "|u1"), (boxed, "|O")):
        about = {
            "descr": kind,
            "fortran_order": False,
            "shape": (10**12 if file is claimed else 2,),
        }
        np.lib.format.write_array_header_1_0(file, about)
        with pytest.raises(ValueError, match=r"x\.npy is not a whole \.npy"):
            _members.array(file.getvalue() + bytes(16), "x.npy", (None,), ["uint8", "object"])


def test_a_matlab_file_that_takes_far_more_than_its_size_is_refused(tmp_path):
    from scipy.io import savemat

    file = tmp_path / "a.mat"
    savemat(file, {"X": np.zeros((1 << 20, 700), np.uint8)}, do_compression=True)
    with pytest.raises(ValueError, match=r"a\.mat is not a readable .*memory"):
        read_mat(file, "X")
