"""Archives, images and tables with changed bytes: read, or refused in a sentence with the name."""

import gzip
import io
import logging
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _fuzz import inputs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nearnd.datasets._archive import Archive
from nearnd.datasets._cifar import records
from nearnd.datasets._idx import idx
from nearnd.datasets._mat import read_mat
from nearnd.datasets._members import array
from nearnd.files import arrays, decode, tables

SIDE = 6
PICTURE = Image.fromarray(np.arange(SIDE * SIDE * 3, dtype=np.uint8).reshape(SIDE, SIDE, 3))


@pytest.fixture(autouse=True)
def quiet():
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(action="ignore"):
        yield


@st.composite
def damaged(draw, goods: dict[str, bytes]):
    """(kind, content): a good one with bytes changed, left out, put in, or taken from another."""
    kind = draw(st.sampled_from(sorted(goods)))
    content = bytearray(goods[kind])
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        if draw(st.booleans()):
            at %= 64  # headers
        how = draw(st.sampled_from(["flip", "set", "cut", "insert", "drop", "extreme", "swap"]))
        if how == "flip" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "set" and content:
            content[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del content[at:]
        elif how == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=9))
        elif how == "drop":
            del content[at : at + draw(st.integers(1, 20))]
        elif how == "extreme":
            content[at : at + 4] = draw(
                st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
            )
        else:
            other = goods[draw(st.sampled_from(sorted(goods)))]
            content[at:] = other[at:]
    return kind, bytes(content)


def refused(call, *names: str):
    """The result of a call, or None if it was refused in words with one of the names."""
    try:
        return call()
    except ValueError as error:
        text = str(error)
        assert any(name in text for name in names), text
        assert "Traceback" not in text


# ---- images ----


def encoded(kind: str, image=PICTURE, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
IMAGES = {
    "png": encoded("PNG"), "png16": encoded("PNG", Image.fromarray(np.eye(6, dtype=np.uint16))),
    "palette": encoded("PNG", PICTURE.quantize(8), transparency=0), "gif": encoded("GIF"),
    "jpeg": encoded("JPEG", exif=EXIF), "tiff": encoded("TIFF"), "bmp": encoded("BMP"),
    "tiff_lzw": encoded("TIFF", compression="tiff_lzw"), "webp": encoded("WEBP"),
    "ppm": encoded("PPM"), "tga": encoded("TGA"), "jp2": encoded("JPEG2000"),
    "float": encoded("TIFF", Image.fromarray(np.eye(6, dtype=np.float32))),
    "frames": encoded("GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
}  # fmt: skip


@inputs(150)
@given(damaged(IMAGES))
def test_an_image_of_any_bytes_is_a_square_or_is_named(given_):
    _, content = given_
    pixels = refused(lambda: decode.decode([("it.png", content)], 4, "RGB"), "it.png")
    if pixels is not None:
        assert pixels.shape == (1, 4, 4, 3)
        assert pixels.dtype == np.uint8


@inputs(40)
@given(damaged(IMAGES))
def test_a_mask_of_any_bytes_is_zeros_and_ones_or_is_named(given_):
    class File:
        def read_bytes(self):
            return given_[1]

        def __str__(self):
            return "it.png"

    masks = refused(lambda: decode.decode_masks([("it.png", File())], 4), "it.png")
    if masks is not None:
        assert set(np.unique(masks)) <= {0, 1}


# ---- archives ----

MEMBERS = {"train/a.txt": b"first\n" * 9, "train/b.png": IMAGES["png"], "list.txt": b"a 1\nb 2\n"}


def tarred(mode: str, **options) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, **options) as file:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zipped(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in MEMBERS.items():
            file.writestr(name, content)
    return out.getvalue()


ARCHIVES = {
    "tar": tarred("w"), "pax": tarred("w", format=tarfile.PAX_FORMAT, pax_headers={"a": "b"}),
    "gnu": tarred("w", format=tarfile.GNU_FORMAT), "tar.gz": tarred("w:gz"),
    "tar.bz2": tarred("w:bz2"), "tar.xz": tarred("w:xz"), "stored": zipped(zipfile.ZIP_STORED),
    "zip": zipped(zipfile.ZIP_DEFLATED), "zip.xz": zipped(zipfile.ZIP_LZMA),
}  # fmt: skip


@inputs(150)
@given(damaged(ARCHIVES))
def test_an_archive_of_any_bytes_is_read_or_is_named(tmp_path_factory, given_):
    file = tmp_path_factory.getbasetemp() / "some.archive"
    file.write_bytes(given_[1])

    def read():
        archive = Archive(file, r"(?s).+")
        archive.pairs("list.txt")
        return [member.read_bytes() for _, member in archive.matching(r".*\.png")]

    refused(read, "some.archive")


def test_a_zip_whose_names_are_none_is_named(tmp_path):
    file, whole = tmp_path / "some.archive", zipped(zipfile.ZIP_STORED)
    name = next(iter(MEMBERS))
    no_text = bytearray(whole)  # the first file's own head: names are UTF-8, and this one is not
    no_text[7], no_text[30 : 30 + len(name)] = 8, b"\xff" * len(name)
    empty, entry = bytearray(whole), whole.index(b"PK\x01\x02")  # its entry in the directory:
    empty[entry + 28 : entry + 34] = bytes([0, 0, 0, 0, len(name), 0])  # the name is a comment
    for content in (no_text, empty):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"some\.archive is truncated or damaged"):
            Archive(file, r"(?s).+")


# ---- numbers ----


def npy(values) -> bytes:
    out = io.BytesIO()
    np.save(out, values, allow_pickle=False)
    return out.getvalue()


def mat(**values) -> bytes:
    from scipy.io import savemat

    out = io.BytesIO()
    savemat(out, values, do_compression=len(values) > 1)
    return out.getvalue()


DIGITS = np.arange(2 * 28 * 28, dtype=np.int64).astype(np.uint8)
IDX = {
    "images": gzip.compress(b"\0\0\x08\x03" + np.array([2, 28, 28], ">u4").tobytes()
                            + DIGITS.tobytes(), mtime=0),
    "labels": gzip.compress(b"\0\0\x08\x01" + np.array([3], ">u4").tobytes() + b"\1\2\3", mtime=0),
}  # fmt: skip
MATS = {"one": mat(labels=np.arange(5)), "two": mat(labels=np.arange(5), names=["a", "b"]),
        "cells": mat(labels=np.array([["x", 3]], dtype=object), more=1)}  # fmt: skip
ARRAYS = {"bytes": npy(np.arange(60, dtype=np.uint8).reshape(5, 2, 6)), "empty": npy(np.zeros(0)),
          "floats": npy(np.eye(4, dtype=np.float32)), "words": npy(np.array(["a", "bc"])),
          "records": npy(np.zeros(3, [("a", "i4"), ("b", "f8")]))}  # fmt: skip


class Content:
    """A file in an archive."""

    def __init__(self, content):
        self.content = content

    def read_bytes(self):
        return self.content

    def __str__(self):
        return "it.mat"


@inputs(80)
@given(damaged(IDX))
def test_an_idx_file_of_any_bytes(given_):
    for shape in ((28, 28), ()):
        found = refused(lambda shape=shape: idx(given_[1], "it.gz", shape), "it.gz")
        if found is not None:
            assert found.shape[1:] == shape


def test_a_mat_file_that_crashes_scipys_reader_is_named():
    """Found by the test below: one byte of the size of a name."""
    content = bytearray(MATS["one"])
    content[185] = 207
    with pytest.raises(ValueError, match="it.mat is not a readable .mat file"):
        read_mat(Content(bytes(content)), "labels")


@inputs(8)  # each is read in a process of its own
@given(damaged(MATS))
def test_a_mat_file_of_any_bytes(given_):
    found = refused(lambda: read_mat(Content(given_[1]), "labels"), "it.mat")
    if found is not None:
        assert found[0].ndim >= 1


@inputs(20)
@given(st.binary(max_size=7000), st.integers(1, 2))
def test_cifar_records_of_any_bytes(content, labels):
    found = refused(lambda: records(content, "it.bin", labels), "it.bin")
    if found is not None:
        assert found[0].shape[1:] == (32, 32, 3)


@inputs(100)
@given(damaged(ARRAYS))
def test_an_array_of_any_bytes(tmp_path_factory, given_):
    file = tmp_path_factory.getbasetemp() / "some.npy"
    file.write_bytes(given_[1])
    shape, kinds = (None, 2, 6), ["uint8"]
    for call in (
        lambda: arrays.load_array(file), lambda: arrays.load_array(file, 3, "uint8"),
        lambda: array(file, "some.npy", shape, kinds),
        lambda: array(given_[1], "some.npy", shape, kinds),
    ):  # fmt: skip
        found = refused(call, "some.npy")
        assert found is None or found.dtype != object


# ---- files between stages ----


def tensors() -> dict[str, bytes]:
    from safetensors.numpy import save

    facts = {"nearnd": '{"kind": "score_sde", "step": 3}'}
    return {"one": save({"features": np.eye(3, dtype=np.float32)}, facts),
            "two": save({"row": np.arange(4), "h": np.zeros((4, 2), np.float16)}),
            "none": save({}, {"nearnd": "{}"})}  # fmt: skip


@pytest.mark.parametrize("text", ['{"kind": "x"- "step": 3}', "[1]", ""])
def test_facts_of_a_safetensors_file_that_are_none_are_named(tmp_path, text):
    from safetensors.numpy import save_file

    file = tmp_path / "some.safetensors"
    save_file({"features": np.eye(3, dtype=np.float32)}, file, {"nearnd": text})
    with pytest.raises(ValueError, match=r"some\.safetensors is not a readable .* run again"):
        arrays.load_tensors(file)


@inputs(100)
@given(damaged(tensors()))
def test_a_safetensors_file_of_any_bytes(tmp_path_factory, given_):
    file = tmp_path_factory.getbasetemp() / "some.safetensors"
    file.write_bytes(given_[1])
    found = refused(lambda: arrays.load_tensors(file), "some.safetensors")
    if found is not None:
        assert isinstance(found[1], dict)
    facts = refused(lambda: arrays.load_facts(file), "some.safetensors")
    assert facts is None or isinstance(facts, dict)


TABLES = {
    "scores": b"id,class,is_anomaly,score\na/1.png,3,True,0.25\n\"b,2\",NA,False,nan\n",
    "quotes": b'id,label,class\n"x ""y""",1,"two\nlines"\n', "empty": b"id,label,class\n",
    "odd": "id,label,class\nümlaut 数,0,$(x)\n".encode(),
}  # fmt: skip


@inputs(100)
@given(damaged(TABLES))
def test_a_table_of_any_bytes(tmp_path_factory, given_):
    for ending in ("csv", "tsv"):
        file = Path(tmp_path_factory.getbasetemp() / f"some.{ending}")
        file.write_bytes(given_[1])
        found = refused(lambda file=file: tables.load_table(file, "id", "class"), file.name)
        assert found is None or {"id", "class"} <= set(found)


names = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@inputs(100)
@given(st.lists(st.tuples(names, names, st.floats(width=32)), min_size=1, max_size=4))
def test_any_names_and_numbers_come_back_from_a_table(tmp_path_factory, rows):
    file = tmp_path_factory.getbasetemp() / "round.csv"
    before = pd.DataFrame(rows, columns=["id", "class", "score"])
    tables.save_table(file, before)
    after = tables.load_table(file, "id", "class", "score")
    assert list(after["id"]) == [row[0] for row in rows]
    assert list(after["class"]) == [row[1] for row in rows]
    np.testing.assert_array_equal(
        after["score"].to_numpy(np.float32), before["score"].to_numpy(np.float32)
    )
