"""Fakes that somebody else made: arrays in class order and folders of images."""

import hashlib
import logging

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nearnd import plugins

CLASSES = {"cat": False, "dog": True, "eel": False}
NORMAL = np.zeros((4, 8, 8, 3), np.uint8)


def imported(n=4, seed=0, normal=NORMAL, classes=CLASSES, **entry):
    fakes = plugins.build("fakes", {"kind": "imported", **entry})
    return fakes.draw(n, seed=seed, normal=normal, classes=classes)


@pytest.fixture
def array(tmp_path):
    """Blocks of ten images, each of one grey level: 0 to 9 of the cat, 10 to 19 of the dog."""
    pixels = np.arange(30, dtype=np.uint8)[:, None, None, None] * np.ones((8, 8, 3), np.uint8)
    np.save(tmp_path / "fakes.npy", pixels)
    return tmp_path / "fakes.npy"


def test_an_array_in_class_order_gives_the_block_of_the_normal_class(array):
    levels = lambda *a, **k: imported(*a, file=str(array), per_class=10, **k)[0][:, 0, 0, 0]  # noqa: E731
    assert levels(10).tolist() == list(range(10, 20))
    few = levels(4)
    assert len(set(few)) == 4  # none twice
    assert set(few) < set(range(10, 20))
    assert levels(4).tolist() == few.tolist()
    assert any(levels(4, seed=s).tolist() != few.tolist() for s in (1, 2, 3))
    others = {name: not chosen for name, chosen in CLASSES.items()}  # normal: not-dog
    assert levels(20, classes=others).tolist() == [*range(10), *range(20, 30)]
    counts = np.bincount(np.concatenate([levels(5, seed=s) for s in range(200)]), minlength=30)
    assert counts[:10].sum() == counts[20:].sum() == 0
    assert counts[10:20] == pytest.approx(np.full(10, 100), abs=35)  # 5 standard deviations


def test_fewer_images_than_asked_for_are_all_taken_and_said(array, caplog):
    with caplog.at_level(logging.WARNING, "nearnd"):
        fakes, _ = imported(12, file=str(array), per_class=10)
    assert len(fakes) == 10
    assert "has 10 images for this task, 12 were asked for (3 for each normal one)" in caplog.text


def test_images_of_another_size_are_resized(array, tmp_path):
    ramp = np.linspace(0, 255, 16).astype(np.uint8)
    np.save(tmp_path / "large.npy", np.broadcast_to(ramp[:, None, None], (3, 16, 16, 3)))
    fakes, _ = imported(1, file=str(tmp_path / "large.npy"), per_class=1)
    assert fakes.shape == (1, 8, 8, 3)
    assert fakes[0, 1:-1, 0, 0] == pytest.approx(ramp.reshape(8, 2).mean(1)[1:-1], abs=1)
    grey, _ = imported(2, file=str(array), per_class=10)
    assert (grey == grey[:, :1, :1]).all()


def pixels(dtype=np.uint8, shape=(30, 8, 8, 3)):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pixels(np.float32), "holds float32"),
        (pixels(shape=(30, 8, 8, 1)), r"have 3 channels in the last axis; it must be \(N, H, W, 3"),
        (pixels(shape=(30, 3, 8, 8)), "channels in the last axis"),
        (pixels(shape=(40, 8, 8, 3)), "holds 40 images, .* the 3 classes .* it must be 30"),
        (pixels(shape=(30, 192)), "holds uint8"),
        (np.array([{"code": 1}], dtype=object), "not a readable .npy file"),
    ],
)
def test_arrays_of_another_layout_are_refused(content, words, tmp_path):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(ValueError, match=words):
        imported(file=str(tmp_path / "a.npy"), per_class=10)


def test_the_checksum_of_an_array_is_enforced(array):
    right = hashlib.sha256(array.read_bytes()).hexdigest()
    imported(file=str(array), per_class=10, sha256=right)
    with pytest.raises(ValueError, match="the entry says 000"):
        imported(file=str(array), per_class=10, sha256="0" * 64)


def paint(file, level, size=(20, 12)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), level, np.uint8)).save(file)


def test_a_folder_serves_all_classes_or_has_one_folder_for_each(tmp_path):
    flat, named = tmp_path / "flat", tmp_path / "named"
    for level in range(5):
        paint(flat / f"{level}.png", level)
        paint(named / "dog" / "more" / f"{level}.png", 100 + level)
        paint(named / "cat" / f"{level}.png", level)
    paint(flat / ".hidden.png", 99)
    (named / "dog" / "list.txt").write_text("no image")
    fakes, _ = imported(5, folder=str(flat))
    assert fakes.shape == (5, 8, 8, 3)
    assert fakes[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert imported(5, folder=str(named))[0][:, 0, 0, 0].tolist() == [100, 101, 102, 103, 104]
    grey, _ = imported(2, folder=str(named), normal=NORMAL[..., :1])
    assert grey.shape == (2, 8, 8, 1)
    with pytest.raises(ValueError, match="no folder of images called eel, .*it has cat, dog"):
        imported(folder=str(named), classes=dict.fromkeys(CLASSES, True))
    paint(named / "loose.png", 1)
    with pytest.raises(ValueError, match="has images itself"):
        imported(folder=str(named))


def test_a_broken_picture_is_named(tmp_path):
    paint(tmp_path / "a.png", 1)
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"b\.png: the file is empty"):
        imported(2, folder=str(tmp_path))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "either a file or a folder, the entry has neither"),
        ({"file": "a", "folder": "b"}, "the entry has file: a and folder: b"),
        ({"file": "a"}, "per_class is None; beside `file` it must say"),
        ({"file": "a", "per_class": 0}, "per_class is 0"),
        ({"folder": "/nowhere"}, "folder /nowhere does not exist"),
    ],
)
def test_an_entry_that_cannot_work_is_named_before_any_job(entry, words):
    with pytest.raises(ValueError, match=words):
        plugins.call("fakes", {"kind": "imported", **entry}, "inputs")


def number(classes=CLASSES, **entry):
    """Of a task, before anything is read."""
    return plugins.call("fakes", {"kind": "imported", "classes": classes, **entry}, "number")


def test_images_are_counted_before_any_is_read(array, tmp_path):
    for i in range(5):
        paint(tmp_path / "named" / "dog" / f"{i}.png", i)
        paint(tmp_path / "named" / "cat" / "deep" / f"{i % 3}.png", i)
        paint(tmp_path / "flat" / f"{i}.png", i)
    (tmp_path / "flat" / "0.png").write_bytes(b"nobody opens it")
    rest = {"cat": True, "dog": True, "eel": False}
    assert number(folder=str(tmp_path / "named")) == 5
    assert number(rest, folder=str(tmp_path / "named")) == 8
    assert number(rest, folder=str(tmp_path / "flat")) == 5
    assert number(file=str(array), per_class=10) == 10
    assert number(rest, file=str(array), per_class=10) == 20
    assert number(file="not/here/yet.npy", per_class=10) is None


def test_what_the_folder_or_array_lacks_is_named_before_any_is_read(array, tmp_path):
    paint(tmp_path / "named" / "cat" / "0.png", 0)
    (tmp_path / "named" / "eel").mkdir()
    with pytest.raises(ValueError, match="no folder of images called dog, eel, .* it has cat") as e:
        number({"cat": True, "dog": True, "eel": True}, folder=str(tmp_path / "named"))
    assert f"Put images into {tmp_path / 'named' / 'dog'} (one folder" in str(e.value)
    assert str(e.value).endswith("or change `folder`")
    with pytest.raises(ValueError, match="holds 30 images, with per_class 7 .* it must be 21"):
        number(file=str(array), per_class=7)


def test_an_added_picture_changes_a_time_stamp_of_the_inputs(tmp_path):
    paint(tmp_path / "dog" / "a.png", 1)
    inputs = lambda: plugins.call("fakes", {"kind": "imported", "folder": str(tmp_path)}, "inputs")  # noqa: E731
    assert inputs() == [str(tmp_path), str(tmp_path / "dog")]
    assert plugins.call("fakes", {"kind": "imported", "file": "a", "per_class": 1}, "inputs") == []


def test_the_table_of_fakes_needs_no_generator():
    row = {"dataset": "pets", "normal": "dog", "fakes": "authors", "method": "m", "seed": 0}
    rows = pd.DataFrame([row | {"n": 30, "normal_images": 40, "copies": 0.1}])
    table = plugins.build("tables_figures", {"kind": "fakes"})({"fakes": rows, "labels": {}})
    assert table.to_dict("records") == [
        {"normal": "dog", "copies (%)": "10.0", "n": "30", "runs": 1}
    ]
