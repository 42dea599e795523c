"""Decoding: every kind of file means what a viewer shows, every fault is named, memory is bounded,
and what is stored is what was read."""

import io
import logging
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nearnd.contracts import Images
from nearnd.files import arrays, decode, image_folders, picture, tables
from nearnd.jobs import duplicates

ROOT = Path(__file__).resolve().parents[1]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def one(content: bytes, size: int = 16, mode: str = "RGB", **more) -> np.ndarray:
    """(size, size, C), as integers to subtract."""
    return decode.decode([("it", content)], size, mode, **more)[0].astype(int)


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with grain on them, as cameras make."""
    rng = np.random.default_rng(seed)
    blobs = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    smooth = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 8, (height, width, 3))
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


# ---- kinds of file ----


def png16(rows: np.ndarray, colour: int) -> bytes:
    """A 16-bit PNG by hand (PIL writes grey ones only): rows (H, W, channels)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = rows.shape[:2]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_sixteen_bits_in_grey_and_in_colour():
    colour = np.full((16, 16, 3), (65535, 32896, 0))
    assert np.abs(one(png16(colour, 2)) - (255, 128, 0)).max() <= 1
    grey = np.full((16, 16, 1), 25700)
    assert np.all(one(png16(grey, 0)) == 100)


def test_twelve_bits_in_sixteen_are_noticed_and_can_be_scaled(caplog, tmp_path):
    rows = np.linspace(0, 4095, 256).round().astype(np.uint16).reshape(16, 16)
    dark = [("dark", encoded(Image.fromarray(rows), kind)) for kind in ("PNG", "TIFF")]
    assert decode.decode(dark, 16, "L").max() == 16
    assert "2 of them have 16 bits, but no value above 4095" in caplog.text
    assert "`bits: 12`" in caplog.text
    caplog.clear()
    expected = np.arange(256).reshape(16, 16)
    assert np.abs(decode.decode(dark, 16, "L", bits=12)[..., 0] - expected).max() <= 1
    bright = [("bright", encoded(Image.fromarray(rows * np.uint16(16)), "PNG"))]
    decode.decode(dark + bright, 16, "L")  # a dark one among bright ones is dark
    decode.decode([("plain", encoded(Image.new("L", (4, 4), 9), "PNG"))], 4, "L")
    assert not caplog.records
    with pytest.raises(ValueError, match="0 to 65520 outside 0 to 4095"):
        decode.decode(bright, 16, "L", bits=12)
    colour = png16(np.full((4, 4, 3), 4095), 2)  # PIL reads the upper eight bits
    decode.decode([("colour", colour)], 4, "RGB")
    assert "16 bits, but no value above 3855" in caplog.text


# ---- shape ----


@pytest.mark.parametrize(
    "shape", [(500, 500), (900, 900), (500, 375), (375, 500), (501, 333), (200, 180), (3000, 40)]
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_cropped_to_256_a_view_of_224_is_the_papers_pipeline(shape, kind):
    """Resize(256), CenterCrop(224) of the photograph itself, to one grey level."""
    from torchvision.transforms import CenterCrop, Compose, Resize

    from nearnd.networks.transform import View, view

    content = encoded(photo(*shape), kind)
    papers = Compose([Resize(256), CenterCrop(224)])(Image.open(io.BytesIO(content)))
    stored = decode.decode([("it", content)], 256, "RGB", fit="crop")
    seen = view(stored, View(256, 224, (0.0,) * 3, (1 / 255,) * 3))[0].permute(1, 2, 0).numpy()
    assert np.abs(seen - np.asarray(papers).astype(int)).max() <= 1


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (3000, 40), (33, 32)])
def test_what_each_fit_keeps(shape):
    """A picture whose left and upper half is red; a mask of it follows."""
    width, height = shape
    drawn = np.zeros((height, width), np.uint8)
    drawn[: height // 2, : width // 2] = 255
    content = encoded(Image.fromarray(drawn), "PNG")
    for fit in ("squash", "crop", "pad"):
        pixels = one(content, 32, "L", fit=fit)[..., 0] > 127
        marked = decode.decode_masks([("it", _File(content))], 32, fit)[0] > 0
        assert (pixels != marked).mean() < 0.04
        share = {"squash": 1, "crop": 1, "pad": min(shape) / max(shape)}[fit]
        assert abs(pixels.mean() - share / 4) < 0.03


def test_padding_is_black_and_the_picture_in_the_middle():
    white = one(encoded(Image.new("RGB", (40, 20), "white"), "PNG"), 16, fit="pad")
    assert np.all(white[4:12] == 255)
    assert not white[:4].any()
    assert not white[12:].any()


@pytest.mark.parametrize("wrong", [{"fit": "stretch"}, {"bits": 7}, {"bits": "12"}])
def test_a_form_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        one(b"", **wrong)


def test_a_transparent_palette_entry_is_white():
    picture = Image.new("P", (16, 16), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(1, (0, 0, 8, 16))
    for kind in ("PNG", "GIF"):
        shown = one(encoded(picture, kind, transparency=0))
        assert np.all(shown[:, 9:] == 255)
        assert np.all(shown[:, :7] == (0, 0, 255))


def test_a_grey_image_among_colour_ones_has_three_equal_channels():
    grey, red = Image.new("L", (9, 9), 77), Image.new("RGB", (9, 9), (255, 0, 0))
    files = [("red", encoded(red, "PNG")), ("grey", encoded(grey, "JPEG"))]
    pixels = decode.decode(files, 4, "RGB")
    assert np.all(pixels[0] == (255, 0, 0))
    assert np.all(pixels[1] == 77)


def turned(pixels: np.ndarray, mark: int) -> np.ndarray:
    """How a picture with this EXIF orientation is stored, for it to be seen as `pixels`."""
    return {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.transpose(1, 0, 2), 6: np.rot90(pixels), 7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(pixels, -1),
    }[mark]  # fmt: skip


@pytest.mark.parametrize("mark", range(1, 9))
@pytest.mark.parametrize("scale", [1, 40])  # 40: read at an eighth
def test_all_orientations_of_a_camera(mark, scale):
    seen = np.asarray(photo(12 * scale, 8 * scale))
    exif = Image.Exif()
    exif[0x0112] = mark
    stored = Image.fromarray(np.ascontiguousarray(turned(seen, mark)))
    plain = one(encoded(Image.fromarray(seen), "PNG"))
    shown = one(encoded(stored, "JPEG", exif=exif, quality=100, subsampling=0))
    assert np.abs(shown - plain).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_damaged_exif_block_does_not_matter(kind):
    picture = photo(16, 16)
    for block in (b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"MM\0"):
        plain = one(encoded(picture, kind))
        assert np.array_equal(one(encoded(picture, kind, exif=block)), plain)


def test_a_turned_picture_with_another_tag_of_the_wrong_type_is_turned():
    text = 2  # instead of a rational number
    tags = [(0x0112, 3, 1, 6 << 16), (0x011A, text, 4, 0x61626300)]
    block = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 2)
    block += b"".join(struct.pack(">HHII", *tag) for tag in tags) + b"\0\0\0\0"
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:8] = 255  # bright above dark, to be turned clockwise
    shown = one(encoded(Image.fromarray(picture), "PNG", exif=block))
    assert np.all(shown[:, 8:] == 255)
    assert np.all(shown[:, :8] == 0)


def test_of_several_frames_the_first_is_taken_and_said(caplog):
    frames = [Image.new("L", (8, 8), tone) for tone in (50, 150, 250)]
    stack = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.INFO):
        pixels = decode.decode([("stack", stack), ("one", encoded(frames[1], "PNG"))], 4, "L")
    assert np.all(pixels[0] == 50)
    assert "stack: the first of its 3 frames" in caplog.text
    assert "one:" not in caplog.text
    assert "2 images: 2 L; 8 to 8 wide" in caplog.text


def test_a_large_jpeg_is_read_small_without_a_visible_difference():
    content = encoded(photo(1200, 800), "JPEG", quality=90)
    whole = Image.open(io.BytesIO(content)).convert("RGB")
    plain = np.asarray(whole.resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(one(content, 32) - plain).max() <= 3


@pytest.mark.parametrize("shape", [(300, 200), (1601, 1203)])
def test_rows_at_the_bottom_are_left_out_before_resizing(shape):
    picture = Image.new("RGB", shape, (0, 0, 255))
    picture.paste((255, 0, 0), (0, shape[1] - 20, *shape))
    content = encoded(picture, "JPEG", quality=95)
    assert one(content, 48)[-1, :, 0].min() > 60  # the banner is there
    assert one(content, 48, cut=20)[:, :, 0].max() < 40  # no more than the JPEG's own bleeding
    with pytest.raises(ValueError, match="it has 12 rows, 20"):
        one(encoded(Image.new("RGB", (12, 12)), "PNG"), cut=20)


# ---- faults ----


def test_faults_are_named_with_their_file(tmp_path):
    good = encoded(photo(40, 40), "JPEG")
    faults = {"empty.jpg": b"", "words.jpg": b"not a picture", "short.jpg": good[:-200]}
    for name, content in {"good.jpg": good, **faults}.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match="3 of 4 files") as error:
        decode.decode([(f.name, f) for f in sorted(tmp_path.iterdir())], 8, "RGB")
    text = str(error.value)
    assert "empty.jpg: the file is empty" in text
    assert "words.jpg: not an image" in text
    assert "short.jpg: image file is truncated" in text
    assert "good.jpg" not in text


@pytest.mark.parametrize("side", [40, 80])  # PIL warns above the limit, refuses above twice that
def test_decompression_bombs_are_refused_and_the_limit_can_be_set(monkeypatch, side):
    content = encoded(Image.new("RGB", (side, side)), "PNG")
    monkeypatch.setenv("NEARND_MAX_PIXELS", "1500")
    with (
        pytest.raises(ValueError, match=r"it: .*pixels.*bomb.*NEARND_MAX_PIXELS"),
        warnings.catch_warnings(action="ignore"),
    ):
        one(content)
    monkeypatch.setenv("NEARND_MAX_PIXELS", str(side**2))
    assert not one(content).any()


def test_a_photograph_of_108_megapixels_is_read():
    assert np.all(one(encoded(Image.new("L", (12000, 9000), 70), "PNG", compress_level=1)) == 70)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"


def test_no_picture_starts_a_program(monkeypatch, tmp_path):
    """PostScript, whatever its name, would be given to Ghostscript."""
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ValueError, match="it: not an image"):
        one(EPS)
    with pytest.raises(ValueError, match="not an image"):
        decode.decode_masks([("it", _File(EPS))], 8)
    assert not (tmp_path / "started").exists()


def test_every_accepted_extension_can_be_read():
    for extension in image_folders.EXTENSIONS:
        kind = Image.registered_extensions()[extension]
        picture = Image.new("1" if extension == ".pbm" else "L", (8, 8), 255)
        assert one(encoded(picture, kind)).min() > 250, extension


def test_only_plain_files_of_bounded_size_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # to open it would wait for ever
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with open(tmp_path / "sparse.png", "wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ValueError, match="3 of 3 files") as error:
        decode.decode([(f.name, f) for f in sorted(tmp_path.iterdir())], 8, "RGB")
    assert str(error.value).count("a pipe, a device or a socket") == 2
    assert "sparse.png: has 3221.2 MB" in str(error.value)


def test_of_many_files_a_few_unreadable_ones_may_be_left_out(caplog):
    rows = [(f"{i}", i % 2, encoded(Image.new("L", (4, 4), i), "PNG")) for i in range(60)]
    for i in (3, 40):
        rows[i] = (f"{i}", i % 2, b"rubbish")
    splits = {"train": rows[:30], "test": rows[30:]}
    found = decode.decode_splits(splits, 4, "L", spare=0.05)
    assert "2 of 60 files are not readable images and are left out" in caplog.text
    assert "3: not an image" in caplog.text
    assert "40: not an image" in caplog.text
    assert [len(found[split]) for split in splits] == [29, 29]
    for images in found.values():  # everything of an image moves together
        number = images.ids.astype(int)
        assert np.array_equal(images.pixels[:, 0, 0, 0], number)
        assert np.array_equal(images.labels, number % 2)
    with pytest.raises(ValueError, match="2 of 60 files are not readable images; repair"):
        decode.decode_splits(splits, 4, "L", spare=0.03)
    alone = [(name, int(i == 3), content) for i, (name, _, content) in enumerate(rows)]
    with pytest.raises(ValueError, match="of a class no train image can be read: 3"):
        decode.decode_splits({"train": alone[:30], "test": alone[30:]}, 4, "L", spare=0.05)


def test_large_pictures_wait_for_each_other(monkeypatch):
    """Of eight threads only so many hold a picture as their pixels allow."""
    held, most = [0], [0]
    plain, fitted = picture._plain, picture.fitted

    def begin(image, *rest):
        held[0] += image.width * image.height
        most[0] = max(most[0], held[0])
        return plain(image, *rest)

    def end(image, *rest):
        small = fitted(image, *rest)
        held[0] -= image.width * image.height
        return small

    monkeypatch.setattr(picture, "AT_ONCE", 25_000)
    monkeypatch.setattr(picture, "_plain", begin)
    monkeypatch.setattr(picture, "fitted", end)
    monkeypatch.setenv("NEARND_CORES", "8")
    files = [(str(i), encoded(Image.new("L", (100, 100)), "PNG")) for i in range(50)]
    decode.decode([*files, ("large", encoded(Image.new("L", (400, 400)), "PNG")), *files], 8, "L")
    assert most[0] in (20_000, 160_000)


def test_no_room_is_said_before_the_work(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"no room for 0\.8 GB"):
        decode.decode([("it", b"never read")] * 1000, 512, "RGB")


# ---- parallel, bounded ----


def test_any_number_of_threads_gives_the_same_bytes(monkeypatch):
    files = [(str(i), encoded(photo(30, 20, i), "JPEG")) for i in range(40)]
    results = []
    for threads in ("1", "5"):
        monkeypatch.setenv("NEARND_CORES", threads)
        results.append(decode.decode(files, 24, "RGB").tobytes())
    assert results[0] == results[1]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read memory from")
def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    """1,500 images of 256 pixels are 295 MB: read, compared and saved in less than half of it."""
    (tmp_path / "a.png").write_bytes(encoded(photo(20, 20), "PNG"))
    code = (
        "import re; from pathlib import Path; from nearnd.files import decode, tables\n"
        "from nearnd.jobs import duplicates\n"
        "def peak():\n"  # not ru_maxrss, which a new process inherits
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) / 1024\n"
        "row = ('a', 0, Path('a.png'))\n"
        "decode.decode_splits({'train': [row]}, 8); before = peak()\n"
        "s = decode.decode_splits({'train': [row] * 1000, 'test': [row] * 500}, 256)\n"
        "for split in s: tables.save_images('.', split, s[split], ['a'])\n"
        "assert len(duplicates.repeats(s['train'].pixels, s['test'].pixels)) == 500\n"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (tmp_path / "train.npy").stat().st_size > 190e6
    assert float(done.stdout) < 130  # MB, of which 50 are one batch and 64 a piece of the file


# ---- masks ----


def test_a_mask_marks_pixels_that_are_marked_to_a_half():
    drawn = np.zeros((64, 64), np.uint8)
    drawn[:, :36] = 255  # 4.5 pixels of 8
    empty, tiny = np.zeros_like(drawn), np.zeros_like(drawn)
    tiny[17, 42] = 255
    sources = [("half", drawn), ("empty", empty), ("tiny", tiny)]
    files = [(name, _File(encoded(Image.fromarray(m), "PNG"))) for name, m in sources]
    half, nothing, small, none = decode.decode_masks([*files, ("good", None)], 8)
    assert np.array_equal(half, np.tile([1, 1, 1, 1, 1, 0, 0, 0], (8, 1)))
    assert not nothing.any()
    assert not none.any()
    assert small.sum() == 1  # never lost
    assert small[2, 5] == 1


class _File:
    def __init__(self, content: bytes):
        self.content = content

    def read_bytes(self) -> bytes:
        return self.content


def test_masks_are_stored_beside_the_images(tmp_path):
    pixels = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
    labels, ids = np.array([0, 0, 1, 1, 1]), np.array(list("abcde"))
    masks = (np.arange(5 * 16).reshape(5, 4, 4) % 2).astype(np.uint8)
    for masked in (masks, None):
        images = Images(pixels, labels, ids, masked)
        tables.save_images(tmp_path, "test", images, ["good", "crack"])
        found = tables.load_images(tmp_path / "test.npy")
        assert found.names.tolist() == ["good"] * 2 + ["crack"] * 3
        assert np.array_equal(found.pixels, pixels)
        if masked is None:
            assert found.masks is None
        else:
            assert np.array_equal(found.rows([3, 1]).masks, masks[[3, 1]])


# ---- names ----

NAMES = [
    "a\nb", "a\tb", 'q"uo"te', "'s'", "a,b", "  lead", "trail ", "NA", "nan", "1e5", "a\rb", "\r",
    "end\r", "a\r\nb", "null", "None", "007", "inf", "\\n", "=cmd", '"', "#x",
    "\ufeff", "a\x85b", "a\u2028b", "\x01",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("extension", ["csv", "tsv"])
def test_a_name_comes_back_from_a_table_as_it_was(tmp_path, name, extension):
    for names in ([name, "other"], ["other", name], NAMES):
        table = pd.DataFrame({"id": names, "class": names, "score": np.arange(len(names)) / 3})
        tables.save_table(tmp_path / f"t.{extension}", table)
        found = tables.load_table(tmp_path / f"t.{extension}", "id", "class", "score")
        assert found["id"].tolist() == found["class"].tolist() == names
        assert np.allclose(found["score"], table["score"])


def test_a_name_that_is_no_text_is_named_before_anything_is_decoded(tmp_path):
    at = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(at, "wb") as file:
        file.write(encoded(Image.new("L", (4, 4)), "PNG"))
    found = list(image_folders.pictures(tmp_path, deep=True))
    bad = [("rubbish", b"")]
    with pytest.raises(ValueError, match=r"1 files have names that are not UTF-8") as error:
        decode.decode([(f.name, f) for f in found] + bad, 4, "L")
    assert r"caf\xe9.png" in str(error.value)


def test_files_that_are_left_out_are_counted(tmp_path, caplog):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.HEIC", "in/c.heic", "in/d", ".hidden", "Thumbs.db", "e.txt"):
        (tmp_path / name).touch()
    image_folders.warn_of_others(tmp_path)
    assert len(caplog.records) == 1
    counted = caplog.text.split("of images: ")[1].split(". Acc")[0].split(", ")
    assert sorted(counted) == ["1 .txt", "1 without extension", "2 .heic"]
    caplog.clear()
    for name in ("b.HEIC", "in/c.heic", "in/d", "e.txt"):
        (tmp_path / name).unlink()
    image_folders.warn_of_others(tmp_path)
    assert not caplog.records


# ---- repeats ----


def test_a_test_image_that_is_a_training_image_is_named(caplog):
    rng = np.random.default_rng(0)
    train = Images(rng.integers(0, 256, (6, 8, 8, 3), np.uint8), np.zeros(6, int),
                   np.array([f"train{i}" for i in range(6)]))  # fmt: skip
    other = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    pixels = np.concatenate([other, train.pixels[4:5], train.pixels[:1] ^ 1])
    test = Images(pixels, np.array([0, 1, 1, 1, 0]), np.array([f"test{i}" for i in range(5)]))
    with caplog.at_level(logging.WARNING):
        duplicates.warn_of_repeats(train, test, ["cat", "dog"])
    assert "1 of 5 test images" in caplog.text
    assert "test3 (dog) is train4 (cat)" in caplog.text
    caplog.clear()
    duplicates.warn_of_repeats(train, test.rows(slice(3)), ["cat", "dog"])
    assert not caplog.text


# ---- files ----


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_every_kind_of_file_is_for_the_readers_that_the_umask_allows(umask, tmp_path):
    import torch

    from nearnd.jobs.resume import save_state

    images = Images(np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, int), np.array(["a", "b"]))
    before = os.umask(umask)
    try:
        arrays.save_array(tmp_path / "a.npy", np.zeros(3))
        arrays.save_json(tmp_path / "b.json", {})
        arrays.save_tensors(tmp_path / "c.safetensors", {"x": np.zeros(3)})
        save_state(tmp_path / "d.safetensors", 1, {"p": {"x": torch.zeros(3)}})
        tables.save_table(tmp_path / "e.csv", pd.DataFrame({"a": [1]}))
        tables.save_images(tmp_path, "f", images, ["cat"])
    finally:
        os.umask(before)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert len(modes) > 6
    assert set(modes.values()) == {0o666 & ~umask}, modes


@pytest.mark.parametrize("shape", [(7, 3, 2), (0, 4, 4), (5,)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_stored_as_numpy_stores_it(tmp_path, shape, order):
    array = np.asarray(np.random.default_rng(0).random(shape).astype(np.float32), order=order)
    arrays.save_array(tmp_path / "ours.npy", array)
    np.save(tmp_path / "numpy.npy", np.ascontiguousarray(array))
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert np.array_equal(arrays.load_array(tmp_path / "ours.npy"), array)


def test_released_memory_is_still_there_to_be_read():
    array = arrays.scratch((1000, 1000))
    array[:] = np.arange(1000, dtype=np.uint8)
    arrays.release(array)
    arrays.release(array[10:])
    assert np.array_equal(array, np.tile(np.arange(1000, dtype=np.uint8), (1000, 1)))
    private = np.array(array)
    arrays.release(private)
    assert np.array_equal(private, array)
