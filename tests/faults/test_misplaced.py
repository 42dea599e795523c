"""A whole file of another class, split or detector in the place of the right one is named."""

import shutil

import numpy as np
import pytest
from _stages import IMAGES, PLACE, STAGES, run

from nearnd.contracts import Images
from nearnd.files import arrays, tables
from nearnd.files.paths import lineage

BANK, DETECTOR = (PLACE.format(what) + ".safetensors" for what in ("banks", "detectors"))
TRAIN, TEST = (f"{PLACE.format('features')}/{s}.safetensors" for s in ("train", "test"))
FAKES, BACKBONE = PLACE.format("fakes") + ".npy", STAGES["detector"]["input"]["backbone"]


def of_another(folder, file):
    """The same content, written as that of another class, dataset or backbone."""
    other = folder / file.replace("/own/", "/their/").replace("/toy", "/their")
    if file.endswith(".npy"):
        arrays.save_array(other, np.array(arrays.load_array(folder / file)))
    else:
        content, facts = arrays.load_tensors(folder / file)
        arrays.save_tensors(other, content, **facts)
    shutil.copy(other, folder / file)


@pytest.mark.parametrize(
    ("stage", "file"),
    [("score", BANK), ("score", TEST), ("bank", TRAIN), ("features", DETECTOR),
     ("detector", FAKES), ("detector", BACKBONE), ("detector", IMAGES[0]), ("features", IMAGES[3])],
)  # fmt: skip
def test_a_file_of_another_result_is_named(toy, tmp_path, stage, file):
    folder = toy.copy(tmp_path / "toy")
    of_another(folder, file)
    code, said = run(folder, stage)
    assert code == 1
    assert f"{file} is another result's file: it was written as" in said
    assert "Traceback" not in said


def test_the_features_of_the_other_split_are_named(toy, tmp_path):
    folder = toy.copy(tmp_path / "toy")
    shutil.copy(folder / TRAIN, folder / TEST)
    code, said = run(folder, "score")
    assert code == 1
    assert "test.safetensors is another result's file: it was written as features/own/" in said


def test_labels_of_other_images_are_named(toy, tmp_path):
    folder = toy.copy(tmp_path / "toy")
    table = folder / IMAGES[4]
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    for stage in ("score", "features"):
        code, said = run(folder, stage)
        assert code == 1
        assert "test.csv is not the table that was written with test.npy" in said


def test_splits_of_two_sizes_are_named(toy, tmp_path):
    folder = toy.copy(tmp_path / "toy")
    file = folder / IMAGES[3]
    images = tables.load_images(file)
    large = np.array(images.pixels).repeat(2, 1).repeat(2, 2)
    grown = Images(large, images.labels, images.ids)
    tables.save_images(file.parent, "test", grown, sorted(set(images.names)))
    code, said = run(folder, "features")
    assert code == 1
    assert "test.npy of (16, 16, 1)" in said


def test_what_a_path_says_of_a_result():
    bank = "banks/d/n/x/full/seed0.safetensors"
    for place in ("results/", "/home/results/x/results/", "../results/"):
        assert lineage(place + bank) == bank
    part = "results/banks/d/n/x/full/..seed0.safetensors.0123abcd.part.4567cdef.part"
    assert lineage(part) == bank
    for elsewhere in ("model/bank.safetensors", "results/mine/a.npy", "results/state/x/a.npy", "a"):
        assert lineage(elsewhere) is None
