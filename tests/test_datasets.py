"""The datasets: what is in each split, that nothing is in two, and that the same call gives the
same bytes. Own folders: every layout, every kind of file, every fault."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nearnd import plugins
from nearnd.datasets import digits, glyphs, image_folder, wbc
from nearnd.datasets._split import stratified

ROOT = Path(__file__).resolve().parents[1]
MIRROR = ROOT / os.environ.get("NEARND_MIRROR", "../shared/data")

# ---- splits ----


def test_split_is_disjoint_complete_sorted_and_stratified():
    labels = np.repeat([0, 1, 2, 3], [176, 53, 48, 22])
    first, second = stratified(labels, 0.8, seed=0)
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(len(labels)))
    assert np.array_equal(first, np.sort(first))
    assert np.bincount(labels[first]).tolist() == [141, 42, 38, 18]  # 80 % of each, rounded
    assert not np.array_equal(first[:141], np.arange(141))  # drawn, not the first ones
    assert not np.array_equal(first, stratified(labels, 0.8, seed=1)[0])


def test_split_of_a_class_does_not_depend_on_the_other_classes():
    labels = np.repeat([0, 1], 50)
    first, _ = stratified(labels, 0.6, seed=3)
    alone, _ = stratified(labels[:50], 0.6, seed=3)
    assert np.array_equal(first[first < 50], alone)


def test_split_leaves_an_image_on_each_side_or_says_why_not():
    first, second = stratified(np.array([0, 0, 1, 1]), 0.99, seed=0)
    assert len(first) == len(second) == 2
    with pytest.raises(ValueError, match="class 1 has 1 image"):
        stratified(np.array([0, 0, 1]), 0.5, seed=0)
    with pytest.raises(ValueError, match=r"1\.0"):
        stratified(np.array([0, 0]), 1.0, seed=0)


# ---- digits ----


@pytest.fixture(scope="module")
def halves():
    return {part: digits.build(part=part).read({})[0] for part in digits.PARTS}


def test_digits_three_parts_hold_every_image_once(halves):
    from sklearn.datasets import load_digits

    source = load_digits()
    development, test = halves["development"], halves["test"]
    parts = [development["train"], development["test"], test["test"]]
    rows = np.concatenate([part.ids for part in parts]).astype(int)
    assert sorted(rows) == list(range(1797))
    pixels = np.concatenate([part.pixels for part in parts])[..., 0]
    assert np.array_equal(np.concatenate([p.labels for p in parts]), source.target[rows])
    # 16 counts stretched to 255: no image is moved, and nothing is lost by rounding
    assert np.array_equal(np.round(pixels / 255 * 16), source.images[rows])


def test_digits_are_stratified_and_both_halves_have_the_same_training_images(halves):
    for a, b in zip(halves["development"]["train"], halves["test"]["train"], strict=True):
        assert np.array_equal(a, b)
    counts = [
        np.bincount(images.labels)
        for images in (halves["test"]["train"], *(halves[part]["test"] for part in digits.PARTS))
    ]
    total = np.sum(counts, axis=0)
    for share, found in zip((0.6, 0.2, 0.2), counts, strict=True):
        assert np.abs(found - share * total).max() <= 1


def test_digits_split_seed_changes_the_split_and_nothing_else():
    one, two = (digits.build(split_seed=seed).read({})[0]["train"] for seed in (0, 1))
    assert not np.array_equal(one.ids, two.ids)
    assert np.array_equal(np.bincount(one.labels), np.bincount(two.labels))


def test_digits_part_must_be_known():
    with pytest.raises(ValueError, match="development or test"):
        plugins.check_entry("datasets", "", {"kind": "digits", "part": "validation"})


# ---- glyphs ----


@pytest.fixture(scope="module")
def letters():
    return glyphs.build(per_class=40).read({})[0]


def test_glyphs_have_every_letter_in_both_cases_and_no_digit(letters):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert "".join(glyphs.CLASSES) == alphabet + alphabet.lower()
    assert not set(glyphs.CLASSES) & set(digits.CLASSES)
    for split, n in (("train", 36), ("test", 4)):
        assert np.bincount(letters[split].labels).tolist() == [n] * 52
    for images in letters.values():
        assert all(images.ids[i][0] == glyphs.CLASSES[images.labels[i]] for i in range(len(images)))


def test_glyphs_same_seed_same_bytes(letters):
    again = glyphs.build(per_class=40).read({})[0]
    other = glyphs.build(per_class=40, seed=1).read({})[0]
    for split in letters:
        assert letters[split].pixels.tobytes() == again[split].pixels.tobytes()
        assert letters[split].ids.tolist() == again[split].ids.tolist()
        assert letters[split].pixels.tobytes() != other[split].pixels.tobytes()


def test_glyphs_are_images_like_the_digits(letters, halves):
    """Same range, same seventeen grey levels, ink and paper in like shares: no telling by tone."""
    letter, digit = letters["train"].pixels, halves["test"]["train"].pixels
    assert letter.shape[1:] == digit.shape[1:]
    assert set(np.unique(letter)) == set(np.unique(digit))
    assert abs(letter.mean() - digit.mean()) < 15
    for tone in (0, 255):
        assert abs((letter == tone).mean() - (digit == tone).mean()) < 0.06


def test_glyphs_are_all_different_and_none_is_blank(letters):
    pixels = np.concatenate([images.pixels for images in letters.values()])
    assert pixels.max(axis=(1, 2, 3)).min() > 100
    assert len(np.unique(pixels.reshape(len(pixels), -1), axis=0)) > 0.98 * len(pixels)


def test_glyphs_can_be_read(letters):
    """The nearest training letter is the right one far more often than by chance (2 %)."""
    train, test = (letters[split].pixels.reshape(-1, 64) / 255 for split in ("train", "test"))
    distance = ((test[:, None] - train[None]) ** 2).sum(-1)
    found = letters["train"].labels[distance.argmin(1)]
    assert (found == letters["test"].labels).mean() > 0.6


def test_glyphs_small_letters_stay_smaller_than_capitals(letters):
    """Without this, c and C would be one shape under two labels."""
    images = letters["train"]
    heights = (images.pixels[..., 0] > 0).any(2).sum(1)
    for letter in "CSVXZ":
        capital, small = (
            heights[images.labels == glyphs.CLASSES.index(name)].mean()
            for name in (letter, letter.lower())
        )
        assert capital > small + 0.5


def test_glyphs_at_another_size():
    images = glyphs.build(size=28, per_class=2).read({})[0]["train"]
    assert images.pixels.shape == (52, 28, 28, 1)
    assert 40 < images.pixels.mean() < 110


# ---- white blood cells ----

WBC = next(iter(wbc.ARCHIVES))
needs_wbc = pytest.mark.skipif(
    not (MIRROR / WBC).is_file(), reason=f"no {WBC} in {MIRROR} (set NEARND_MIRROR)"
)


@needs_wbc
def test_wbc_has_the_published_counts_cut_80_to_20():
    splits, names = wbc.build().read({WBC: MIRROR / WBC})
    counts = {split: np.bincount(images.labels).tolist() for split, images in splits.items()}
    assert names == ["neutrophil", "lymphocyte", "monocyte", "eosinophil"]
    assert np.add(*counts.values()).tolist() == [176, 53, 48, 22]
    assert counts["train"] == [141, 42, 38, 18]
    assert splits["train"].pixels.shape == (239, 32, 32, 3)
    assert len(set(splits["train"].ids) | set(splits["test"].ids)) == 299


@needs_wbc
def test_wbc_full_size_is_the_scan_itself():
    images = wbc.build(size=120).read({WBC: MIRROR / WBC})[0]["train"]
    row = list(images.ids).index("001.bmp")
    assert images.labels[row] == 1  # the csv says 2: a lymphocyte
    with tarfile.open(MIRROR / WBC) as tar:
        name = next(n for n in tar.getnames() if n.endswith("Dataset 1/001.bmp"))
        scan = np.asarray(Image.open(tar.extractfile(name)))
    assert np.array_equal(images.pixels[row], scan)


@needs_wbc
@pytest.mark.parametrize("what", ["an image", "the csv", "the whole file"])
def test_wbc_changed_content_is_refused(tmp_path, what):
    changed = tmp_path / WBC
    if what == "the whole file":
        changed.write_bytes((MIRROR / WBC).read_bytes()[:100_000])
    else:
        end = "Dataset 1/007.bmp" if what == "an image" else "Labels of Dataset 1.csv"
        with tarfile.open(MIRROR / WBC) as source, tarfile.open(changed, "w") as out:
            for member in source:
                content = source.extractfile(member).read() if member.isfile() else b""
                if member.name.endswith(end):
                    content = content[:-1] + bytes([content[-1] ^ 1])
                out.addfile(member, io.BytesIO(content) if member.isfile() else None)
    with pytest.raises(ValueError, match=r"sha256|readable") as error:
        wbc.build().read({WBC: changed})
    assert str(changed) in str(error.value)


# ---- own folders ----


def save(file: Path, tone=100, size=(20, 20), mode="RGB", **more):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, tone if mode != "RGB" or isinstance(tone, tuple) else (tone,) * 3).save(
        file, **more
    )


def fill(root: Path, tree: dict[str, int]) -> Path:
    """Folders with so many images each."""
    for folder, n in tree.items():
        for i in range(n):
            save(root / folder / f"{i:03d}.png", tone=i)
    return root


def read(root: Path, **arguments):
    """{split: {class: number of images}}, after checks that hold for every layout."""
    splits, names = image_folder.build(str(root), **arguments).read({})
    assert names == image_folder.classes(str(root)) == sorted(set(names))
    ids = np.concatenate([images.ids for images in splits.values()])
    assert len(set(ids)) == len(ids)
    for images in splits.values():
        for name, pixels in zip(images.ids, images.pixels, strict=True):
            assert (root / name).is_file()
            assert np.all(pixels == int(Path(name).stem))  # `fill` gives image i the tone i
    return {
        split: {names[k]: int(n) for k, n in enumerate(np.bincount(images.labels)) if n}
        for split, images in splits.items()
    }


@pytest.mark.parametrize(
    ("tree", "train", "test"),
    [
        ({"": 10}, {"normal": 8}, {"normal": 2}),
        ({"cat": 10, "dog": 5}, {"cat": 8, "dog": 4}, {"cat": 2, "dog": 1}),
        ({"cat/day/a": 5, "cat/night": 5}, {"cat": 8}, {"cat": 2}),
        (
            {
                **{"train/good": 4, "test/good": 2, "test/crack": 1, "test/dent": 3},
                **{"ground_truth/crack": 1, "ground_truth/dent": 3},
            },
            {"good": 4},
            {"crack": 1, "dent": 3, "good": 2},
        ),
        (
            {"Train/a": 3, "Train/b": 2, "TEST/a": 1, "TEST/b": 1},
            {"a": 3, "b": 2},
            {"a": 1, "b": 1},
        ),
        (
            {"train": 5, "test/Normal": 2, "test/scratch": 2},
            {"Normal": 5},
            {"Normal": 2, "scratch": 2},
        ),
        ({"train": 5, "test": 3}, {"normal": 5}, {"normal": 3}),
    ],
)
def test_folder_layouts(tmp_path, tree, train, test):
    assert read(fill(tmp_path, tree)) == {"train": train, "test": test}


def test_folder_split_is_seeded(tmp_path):
    fill(tmp_path, {"": 40})

    def ids(seed):
        return image_folder.build(str(tmp_path), split_seed=seed).read({})[0]["test"].ids.tolist()

    assert ids(0) == ids(0) != ids(1)


def test_folder_without_training_share_is_a_test_set_and_nothing_of_it_is_normal(tmp_path):
    fill(tmp_path, {"cat": 3, "dog": 1})
    splits, names = image_folder.build(str(tmp_path), train=0).read({})
    assert (len(splits["train"].ids), names) == (0, ["cat", "dog"])
    assert splits["test"].labels.tolist() == [0, 0, 0, 1]
    assert image_folder.trained(str(tmp_path), train=0) == []
    assert image_folder.trained(str(tmp_path)) == ["cat", "dog"]


def test_folder_takes_many_kinds_of_file_in_any_case(tmp_path):
    names = ["a.jpg", "b.JPG", "c.Jpeg", "d.png", "e.BMP", "f.tif", "g.TIFF", "h.webp", "i.gif"]
    names += ["j.ppm", "k.PGM", "l.jfif", "m.tga"]
    for name in names:
        save(tmp_path / name, mode="L" if name.endswith("PGM") else "RGB", tone=100)
    (tmp_path / "notes.txt").write_text("not an image")
    splits, _ = image_folder.build(str(tmp_path), size=8).read({})
    assert sorted(np.concatenate([s.ids for s in splits.values()])) == sorted(names)
    for images in splits.values():
        assert np.abs(images.pixels.astype(int) - 100).max() <= 3  # lossy formats


def test_folder_skips_hidden_things(tmp_path):
    fill(tmp_path, {"a": 3, ".cache": 3, "__MACOSX/a": 3})
    (tmp_path / "a" / "._000.png").write_bytes(b"resource fork")
    assert read(tmp_path) == {"train": {"a": 2}, "test": {"a": 1}}


def test_folder_follows_links_but_not_in_circles(tmp_path):
    real = fill(tmp_path / "elsewhere", {"": 4})
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").symlink_to(real)
    (real / "loop").symlink_to(tmp_path / "set" / "a")
    assert read(tmp_path / "set") == {"train": {"a": 3}, "test": {"a": 1}}


def one(root: Path, name: str, **arguments) -> np.ndarray:
    """The pixels of one of the images in a folder."""
    splits, _ = image_folder.build(str(root), **arguments).read({})
    for images in splits.values():
        for row in np.flatnonzero(images.ids == name):
            return np.asarray(images.pixels[row])
    raise KeyError(name)


def test_unusual_pixels_mean_what_a_viewer_shows(tmp_path):
    red = (255, 0, 0)
    wide = np.linspace(0, 65535, 16).astype(np.uint16).repeat(16).reshape(16, 16)
    Image.fromarray(wide).save(tmp_path / "grey16.png")
    Image.fromarray(wide).save(tmp_path / "grey16.tif")
    save(tmp_path / "grey8.png", mode="L", tone=77)
    save(tmp_path / "ink.tif", mode="CMYK", tone=(0, 255, 255, 0))
    save(tmp_path / "ink.jpg", mode="CMYK", tone=(0, 255, 255, 0))
    save(tmp_path / "clear.png", mode="RGBA", tone=(0, 0, 0, 0))
    save(tmp_path / "half.png", mode="RGBA", tone=(0, 0, 0, 128))
    save(tmp_path / "bits.png", mode="1", tone=1)
    Image.new("RGB", (16, 16), red).quantize(4).save(tmp_path / "palette.gif")
    Image.new("RGB", (16, 16), red).quantize(4).save(tmp_path / "palette.png")

    for name in ("grey16.png", "grey16.tif"):
        assert np.array_equal(one(tmp_path, name, size=16)[..., 0], np.round(wide / 257))
    assert np.all(one(tmp_path, "grey8.png") == 77)
    for name in ("ink.tif", "ink.jpg", "palette.gif", "palette.png"):
        assert np.abs(one(tmp_path, name).astype(int) - red).max() <= 6
    assert np.all(one(tmp_path, "clear.png") == 255)
    assert np.abs(one(tmp_path, "half.png").astype(int) - 127).max() <= 1
    assert np.all(one(tmp_path, "bits.png") == 255)
    assert one(tmp_path, "palette.png", mode="L").shape == (32, 32, 1)
    assert np.abs(one(tmp_path, "palette.png", mode="L").astype(int) - 76).max() <= 1  # 0.299 * 255


def test_camera_rotation_is_obeyed(tmp_path):
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:8] = 255  # stored: bright above dark
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees for viewing
    for name in ("a.png", "b.png"):
        Image.fromarray(picture).save(tmp_path / name, exif=exif)
    shown = one(tmp_path, "a.png", size=16)
    assert np.all(shown[:, 8:] == 255)
    assert np.all(shown[:, :8] == 0)


def test_resize_keeps_the_whole_picture_and_averages(tmp_path):
    board = np.indices((64, 128)).sum(0) % 2 * 255  # one-pixel chequers: grey from afar
    board[:, :8] = 255
    for name in ("a.png", "b.png"):
        Image.fromarray(board.astype(np.uint8)).save(tmp_path / name)
    small = one(tmp_path, "a.png", size=16, mode="L")[..., 0]
    assert np.all(small[:, 0] > 220)  # the left border is still there
    assert np.abs(small[:, 2:].astype(int) - 127).max() <= 3


def test_pixels_are_on_disk_not_in_memory(tmp_path):
    splits, _ = image_folder.build(str(fill(tmp_path, {"": 10}))).read({})
    assert all(isinstance(images.pixels, np.memmap) for images in splits.values())


def test_bad_files_are_all_found_and_ten_are_named(tmp_path):
    fill(tmp_path, {"": 5})
    good = (tmp_path / "004.png").read_bytes()
    for i in range(10, 23):
        (tmp_path / f"{i:03d}.png").write_bytes(
            b"" if i == 10 else b"text" if i == 11 else good[:-30]
        )
    with pytest.raises(ValueError, match="13 of 18 files") as error:
        image_folder.build(str(tmp_path)).read({})
    lines = str(error.value).splitlines()
    assert "010.png: the file is empty" in lines[1]
    assert "011.png: not an image" in lines[2]
    assert "truncated" in lines[3]
    assert len(lines) == 12
    assert lines[-1].strip() == "and 3 more"


def test_a_bad_file_among_many_is_left_out_and_its_mask_with_it(tmp_path, caplog):
    fill(tmp_path, {"train/good": 30, "test/good": 10, "test/crack": 10, "ground_truth/crack": 10})
    for i in range(10):  # each its own tone, and a mark of that many columns
        save(tmp_path / f"test/crack/{i:03d}.png", tone=(20 * i,) * 3)
        mask = Image.new("L", (16, 16))
        mask.paste(255, (0, 0, i + 1, 16))
        mask.save(tmp_path / f"ground_truth/crack/{i:03d}.png")
    (tmp_path / "test/crack/004.png").write_bytes(b"rubbish")
    (tmp_path / "train/good/007.png").write_bytes(b"")
    splits, _ = image_folder.build(str(tmp_path), size=16).read({})
    assert "2 of 50 files are not readable images and are left out" in caplog.text
    assert "test/crack/004.png: not an image" in caplog.text
    assert [len(splits[split]) for split in ("train", "test")] == [29, 19]
    test = splits["test"]
    for row, name in enumerate(test.ids):
        number = int(Path(name).stem)
        assert test.masks[row].sum() == (16 * (number + 1) if "crack" in name else 0)
        assert "crack" not in name or np.all(test.pixels[row] == 20 * number)
    (tmp_path / "test/crack/005.png").write_bytes(b"rubbish")  # three of fifty are too many
    with pytest.raises(ValueError, match="3 of 50 files"):
        image_folder.build(str(tmp_path)).read({})


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_masks_of_oblong_pictures_follow_the_fit(tmp_path, caplog, fit):
    fill(tmp_path, {"train/good": 2, "test/good": 2, "test/crack": 1, "ground_truth/crack": 1})
    picture = Image.new("L", (96, 32))
    picture.paste(255, (40, 8, 60, 20))
    for folder in ("test", "ground_truth"):
        picture.save(tmp_path / folder / "crack" / "000.png")
    test = image_folder.build(str(tmp_path), size=32, fit=fit).read({})[0]["test"]
    row = test.ids.tolist().index("test/crack/000.png")
    assert np.array_equal(test.masks[row], test.pixels[row, ..., 0] > 127)
    area = {"squash": 20 * 12 / 3, "crop": 20 * 12, "pad": 20 * 12 / 9}[fit]
    assert abs(test.masks[row].sum() / area - 1) < 0.15
    assert ("3.0 times as long as wide (test/crack/000.png: 96 x 32)" in caplog.text) == (
        fit != "pad"
    )


def test_what_is_left_out_of_a_folder_is_said_once(tmp_path, caplog):
    fill(tmp_path, {"cat": 4, "dog": 4})
    for name in ("cat/1.heic", "cat/2.HEIC", "bird/3.avif", "dog/without"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    image_folder.build(str(tmp_path)).read({})
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    for part in ("2 .heic", "1 .avif", "1 without extension"):
        assert part in line


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"": 1}, "class normal has 1 image"),
        ({"a": 5, "b": 1}, "class b has 1 image"),
        ({"train/good": 1, "test/good": 2}, "class good has 1 image"),
        ({"": 3, "a": 3}, "images itself"),
        ({"train": 3, "train/a": 3, "test/a": 3}, "images itself"),
        ({"train": 3}, "without its counterpart"),
        ({"train/a": 3, "test": 3}, "but .*test has none"),
        ({"train": 3, "test/crack": 3}, "must be named normal, good or ok .* are crack"),
        ({"train": 3, "test/good": 3, "test/ok": 3}, "exactly one"),
        ({"bottle/train/good": 3, "bottle/test/good": 3}, "bottle has train and test inside"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, tree, message):
    fill(tmp_path, tree)
    with pytest.raises(ValueError, match=message) as error:
        image_folder.build(str(tmp_path)).read({})
    assert str(tmp_path) in str(error.value)


def test_nothing_found_says_where_what_and_how_many(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.heic", "b.HEIC", "sub/c.npy", "sub/README"):
        (tmp_path / name).write_bytes(b"x")
    for call in (image_folder.classes, image_folder.inputs):
        with pytest.raises(ValueError, match="no images") as error:
            call(str(tmp_path))
    for part in (str(tmp_path), "jpeg", "webp", "2 .heic", "1 .npy", "1 without extension"):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="does not exist"):
        image_folder.classes(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="is a file"):
        image_folder.classes(str(tmp_path / "a.heic"))
    with pytest.raises(ValueError, match="set `path`"):
        image_folder.classes()


def test_inputs_change_when_an_image_comes_or_goes(tmp_path):
    fill(tmp_path, {"train/good/day": 3, "test/good": 2})

    def stamps():
        for folder in image_folder.inputs(str(tmp_path)):
            assert Path(folder).is_dir()
        return [os.stat(folder).st_mtime_ns for folder in image_folder.inputs(str(tmp_path))]

    before = stamps()
    assert stamps() == before
    for change in (
        lambda: save(tmp_path / "train/good/day/new.png"),
        lambda: (tmp_path / "test/good/000.png").unlink(),
        lambda: shutil.copytree(tmp_path / "test/good", tmp_path / "test/crack"),
    ):
        change()
        assert stamps() != before
        before = stamps()


@pytest.mark.parametrize(
    "tree",
    [
        {"train": 4, "Train": 4, "test": 4},
        {"train/a": 4, "test/a": 4, "TEST/a": 4},
        {"train/a": 2, "train/A": 2, "test/a": 2},
        {"train/Good": 2, "test/good": 2},
        {"train/a": 2, "test/a": 2, "test/b": 1, "test/B": 1},
        {"cat": 2, "Cat": 2},
        {"train/a": 2, "test/a": 2, "ground_truth/a": 2, "Ground_Truth/a": 2},
        {"train/a": 2, "test/a": 2, "ground_truth/a": 2, "ground_truth/A": 2},
    ],
)
def test_names_that_differ_in_case_only_are_refused(tmp_path, tree):
    fill(tmp_path, tree)
    with pytest.raises(ValueError, match="differ in case only"):
        image_folder.build(str(tmp_path)).read({})


def test_the_stamp_is_of_what_is_read(tmp_path):
    from nearnd.plan.inputs import stamp

    tree = {"train/good": 2, "test/good": 2, "test/bad/day": 1, "ground_truth/bad/day": 1}
    fill(tmp_path, tree | {"notes": 2})

    def now():
        return stamp(image_folder.inputs(str(tmp_path)))

    before = now()
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._000.png", "notes.txt"):
        for folder in tree:
            (tmp_path / folder / name).write_bytes(b"x")
    (tmp_path / "train/good/.cache").mkdir()
    save(tmp_path / "notes" / "new.png")  # beside train and test, where nobody looks
    assert now() == before
    for folder in tree:
        save(tmp_path / folder / "000.png", tone=77)
        assert now() != before
        before = now()


@pytest.mark.parametrize("group", ["folder", r"burst(\d+)", r"^[^_]+"])
def test_images_of_a_group_land_on_one_side(tmp_path, group):
    for burst in range(10):
        for i in range(6):
            save(tmp_path / "good" / f"burst{burst}" / f"burst{burst}_{i}.png", tone=burst)
    splits, _ = image_folder.build(str(tmp_path), group=group).read({})
    bursts = [{name.split("/")[1] for name in splits[split].ids} for split in ("train", "test")]
    assert (len(bursts[0]), len(bursts[1])) == (8, 2)
    assert not bursts[0] & bursts[1]
    assert len(splits["train"].ids) + len(splits["test"].ids) == 60


def test_groups_that_cannot_be(tmp_path):
    fill(tmp_path, {"a": 4, "b": 4})
    with pytest.raises(ValueError, match="class . lies on one side"):
        image_folder.build(str(tmp_path), group="folder").read({})
    with pytest.raises(ValueError, match="group is '\\(', it may be folder or a regular"):
        image_folder.build(str(tmp_path), group="(").read({})


def test_planning_loads_no_heavy_library(tmp_path):
    fill(tmp_path, {"a": 2})
    code = (
        "import sys; from nearnd.datasets import image_folder as f;"
        f"print(f.classes({str(tmp_path)!r}), f.inputs({str(tmp_path)!r}));"
        "bad = {'numpy', 'PIL', 'torch'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
