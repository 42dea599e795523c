"""Full disks, folders that cannot be written, and damaged results: said plainly, nothing lost."""

import ctypes
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from _stages import IMAGES, LONG, PLACE, REPEATS, STAGES, results, run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


class FilesOfAtMost:
    """A disk on which there is no room for larger files."""

    def __init__(self, size):
        self.size = size

    def __call__(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


# bytes: below the largest file that the stage writes, above its log
@pytest.mark.parametrize(("stage", "room"), [
    ("images", 4000), ("backbone", 20_000), ("generator", 4500), ("fakes", 5000),
    ("detector", 20_000), ("features", 4000), ("bank", 4000),
])  # fmt: skip
def test_a_full_disk_is_said_and_the_next_run_makes_the_same_bytes(toy, tmp_path, stage, room):
    folder = toy.copy(tmp_path / "toy")
    code, said = run(folder, stage, FilesOfAtMost(room))
    assert code == 1, said
    last = said.splitlines()[-1]
    assert "error: " in last
    assert "make room" in last
    assert "Traceback" not in said
    for name, content in results(folder, stage).items():
        assert toy.made[stage][name] == content, f"{name} is half written"
    assert not [p for p in folder.rglob("*") if p.name.endswith(".part")]
    assert run(folder, stage)[0] == 0
    assert results(folder, stage) == toy.made[stage]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)],
                              capture_output=True, text=True)  # fmt: skip
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@LINUX
def test_a_disk_that_fills_up_while_a_generator_trains(toy, tmp_path, small_disk):
    folder = toy.copy(tmp_path / "toy")
    (folder / "results/state").mkdir(exist_ok=True)
    shutil.rmtree(folder / "results/state")
    (folder / "results/state").symlink_to(small_disk)
    (small_disk / "other").write_bytes(b"x" * 2_000_000)
    code, said = run(folder, "generator")
    assert code == 1, said
    assert "could not be written" in said
    assert "make room and start again" in said
    (small_disk / "other").unlink()
    code, said = run(folder, "generator")
    assert code == 0, said
    assert results(folder, "generator") == toy.made["generator"]


class Capabilities(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def as_a_plain_user():
    """Takes from root the right to write where permissions forbid it."""
    if os.geteuid() == 0:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if ctypes.CDLL(None).capset(header, (Capabilities * 2)()):
            os._exit(99)


@LINUX
@pytest.mark.parametrize("stage", LONG)
def test_a_folder_that_cannot_be_written_is_named(toy, tmp_path, stage):
    folder = toy.copy(tmp_path / "toy")
    outputs = STAGES[stage]["output"]
    first = outputs[0] if isinstance(outputs, list) else next(iter(outputs.values()))
    place = (folder / first).parent
    shutil.rmtree(folder / first) if (folder / first).is_dir() else (folder / first).unlink()
    place.chmod(0o555)
    try:
        code, said = run(folder, stage, as_a_plain_user)
    finally:
        place.chmod(0o755)
    assert code == 1, said
    last = said.splitlines()[-1]
    assert "Permission denied" in last
    assert str(place.relative_to(folder)) in last
    assert "Traceback" not in said
    assert run(folder, stage)[0] == 0
    assert results(folder, stage) == toy.made[stage]


# ---- damaged results of an earlier stage ----


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(_: bytes) -> bytes:
    return b""


def zeros(content: bytes) -> bytes:
    return bytes(len(content))


def flipped(content: bytes) -> bytes:
    """A bit of the header."""
    return content[:3] + bytes([content[3] ^ 64]) + content[4:]


def page(_: bytes) -> bytes:
    return b"<!DOCTYPE html><html>\x00\xff</html>"


READ = [  # stage, a file that it reads
    ("backbone", IMAGES[0]), ("backbone", IMAGES[1]), ("generator", IMAGES[2]),
    ("generator", STAGES["generator"]["input"]["watcher"]),
    ("fakes", STAGES["fakes"]["input"]["fidelity"]),
    ("fakes", STAGES["fakes"]["input"]["snapshots"] + "/step0000060.safetensors"),
    ("detector", STAGES["detector"]["input"]["backbone"]),
    ("detector", STAGES["detector"]["input"]["outliers"]),
    ("features", STAGES["features"]["input"]["detector"]),
    ("bank", STAGES["bank"]["input"]["features"]),
    ("score", STAGES["score"]["input"]["bank"]), ("score", STAGES["score"]["input"]["queries"]),
]  # fmt: skip
DAMAGE = [cut, empty, zeros, flipped, page]
FEW = slice(None) if REPEATS > 1 else slice(2)


@pytest.mark.parametrize("i", range(len(READ)), ids=lambda i: " ".join(READ[i]))
def test_a_damaged_result_is_named_with_the_way_out(toy, tmp_path, i):
    stage, file = READ[i]
    folder = toy.copy(tmp_path / "toy")
    good = (folder / file).read_bytes()
    for damage in (DAMAGE[i % 5 :] + DAMAGE)[FEW]:  # a few of them, others for each file
        bad = damage(good)
        if file.endswith(".csv") and damage is flipped:
            continue  # one letter of a table's words is another word
        (folder / file).write_bytes(bad)
        code, said = run(folder, stage)
        assert code == 1, f"{damage.__name__}: {said}"
        last = " ".join(said.splitlines()[-3:])
        assert file.rpartition("/")[2] in last, f"{damage.__name__}: {said}"
        assert "delete it and run again" in last, f"{damage.__name__}: {said}"
        assert "Traceback" not in said
        made = [name for name in results(folder, stage) if not name.endswith(".json")]
        assert made == []
    if REPEATS > 1:
        (folder / file).write_bytes(good)
        assert run(folder, stage)[0] == 0
        assert results(folder, stage) == toy.made[stage]


def test_a_damaged_cache_of_features_is_made_again(toy, tmp_path):
    folder = toy.copy(tmp_path / "toy")
    (cached,) = (folder / "results/cache/features").glob("*.npy")
    good = cached.read_bytes()
    for damage in DAMAGE[FEW]:
        cached.write_bytes(damage(good))
        code, said = run(folder, "generator")
        assert code == 0, said
        assert "computed again" in said
        assert cached.read_bytes() == good
        assert results(folder, "generator") == toy.made["generator"]


def test_a_damaged_state_names_the_file_to_delete(toy, tmp_path):
    """Half-done work that cannot be read stops the job: to begin anew is the user's choice."""
    from test_kill import killed

    folder, seconds = toy.copy(tmp_path / "toy"), toy.seconds["detector"]
    states = []
    while not states:
        assert killed(folder, "detector", 9, seconds) in (0, -9)
        states = list((folder / "results/state").rglob("last.safetensors"))
        seconds *= 0.8
    states[0].write_bytes(states[0].read_bytes()[:100])
    code, said = run(folder, "detector")
    assert code == 1
    assert "last.safetensors" in said.splitlines()[-1]
    assert "delete the file to start again" in said.splitlines()[-1]
    states[0].unlink()
    assert run(folder, "detector")[0] == 0
    assert results(folder, "detector") == toy.made["detector"]


def test_an_array_of_the_wrong_kind_is_no_result(toy, tmp_path):
    """Whole files, but of something else: of floats, of other sizes, with another table."""
    folder = toy.copy(tmp_path / "toy")
    pixels = np.load(folder / IMAGES[0])
    for other in (pixels.astype(np.float32), pixels[..., 0], pixels[:-1]):
        np.save(folder / IMAGES[0], other)
        code, said = run(folder, "backbone")
        assert code == 1, said
        assert "train.npy" in said.splitlines()[-1]
    folder = toy.copy(tmp_path / "other")
    outliers = PLACE.format("fakes") + ".npy"
    np.save(folder / outliers, np.zeros((5, 9, 9, 1), np.uint8))
    code, said = run(folder, "detector")
    assert code == 1
    assert "outliers are images of (9, 9, 1)" in said
