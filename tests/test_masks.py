"""Masks of an own folder mark what they were drawn on, however both files are stored."""

import logging

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from nearnd import plugins

SIDE = 64
PLAIN = np.full((SIDE, SIDE, 3), 100, np.uint8)


def exif(turn):
    found = Image.Exif()
    found[0x0112] = turn
    return found


def marked(shape=(SIDE, SIDE), rows=slice(4, 12), columns=slice(30, 60)):
    """An image with a bright defect, and its mask."""
    image, mask = np.full((*shape, 3), 100, np.uint8), np.zeros(shape, np.uint8)
    image[rows, columns], mask[rows, columns] = 250, 255
    return image, mask


def save(root, image, mask, name="0.png", mask_name="0_mask.png", turn=None, **options):
    for folder in ("train/good", "test/good", "test/crack", "ground_truth/crack"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("train/good", "test/good"):
        for i in range(2):
            Image.fromarray(PLAIN).save(root / folder / f"{i}.png")
    more = {"exif": exif(turn), "quality": 98} if turn else {}
    Image.fromarray(image).save(root / "test/crack" / name, **more)
    mask = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    mask.save(root / "ground_truth/crack" / mask_name, **options)


def found(root, size=SIDE, **arguments):
    """Pixels that are bright, that are marked, and that are both."""
    test = plugins.build(
        "datasets", {"kind": "image_folder", "path": str(root), "size": size, **arguments}
    ).read({})[0]["test"]
    row = next(i for i, name in enumerate(test.ids) if "crack" in name)
    bright, mask = test.pixels[row].mean(-1) > 180, test.masks[row] > 0
    return bright.sum(), mask.sum(), (bright & mask).sum()


def tiff(turn):
    tags = ImageFileDirectory_v2()
    tags[0x0112] = turn
    return {"tiffinfo": tags, "compression": "tiff_lzw"}


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("both", [True, False])
def test_the_rotation_mark_of_a_tiff_counts_once(tmp_path, turn, both, caplog):
    image, mask = marked((48, 64))
    save(tmp_path, image, mask, mask_name="0_mask.tif", **(tiff(turn) if both else {}))
    Image.fromarray(image).save(tmp_path / "test/crack/0.tif", **tiff(turn))
    (tmp_path / "test/crack/0.png").unlink()
    bright, drawn, common = found(tmp_path)
    if turn > 4 or both:  # else it may have been drawn as the image is shown: a guess
        assert "guess" not in caplog.text
    assert common > 0.9 * max(bright, drawn) > 90


def test_a_mask_that_marks_all_of_its_picture_is_named(tmp_path, caplog):
    image, mask = marked()
    save(tmp_path, image, np.maximum(mask, 1))
    found(tmp_path)
    assert "0_mask.png: a mask without black" in caplog.text


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("shape", [(64, 64), (48, 64)])
@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_a_mask_is_turned_as_its_own_mark_says(tmp_path, turn, shape, fit, caplog):
    image, mask = marked(shape)
    save(tmp_path, image, mask, "0.jpg", turn=turn, exif=exif(turn))
    bright, drawn, both = found(tmp_path, fit=fit)
    assert both > 0.9 * max(bright, drawn) > 90
    assert "guess" not in caplog.text


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
@pytest.mark.parametrize("as_shown", [True, False])
@pytest.mark.parametrize("half", [True, False])
def test_the_size_tells_whether_a_mask_without_mark_was_drawn_on_the_turned_image(
    tmp_path, turn, as_shown, half, caplog
):
    image, mask = marked((48, 64))
    drawn = Image.fromarray(mask)
    if as_shown:
        from nearnd.files.picture import TURNS

        drawn = drawn.transpose(Image.Transpose[TURNS[turn]])
    if half:
        drawn = drawn.resize((drawn.width // 2, drawn.height // 2), Image.Resampling.NEAREST)
    save(tmp_path, image, drawn, "0.jpg", turn=turn)
    bright, marks, both = found(tmp_path)
    assert both > 0.85 * max(bright, marks) > 100
    assert "guess" not in caplog.text


def test_on_a_square_image_it_is_a_guess_that_is_said(tmp_path, caplog):
    save(tmp_path, *marked(), "0.jpg", turn=6)
    with caplog.at_level(logging.WARNING):
        assert found(tmp_path)[2] > 220
    assert "0_mask.png" in caplog.text
    assert "guess" in caplog.text


@pytest.mark.parametrize("shape", [(64, 48), (48, 64), (63, 64), (10, 64)])
def test_a_mask_that_cannot_belong_to_its_image_is_an_error(tmp_path, shape):
    image, _ = marked()
    save(tmp_path, image, np.full(shape, 255, np.uint8))
    with pytest.raises(ValueError, match=r"0_mask\.png.*its image 64 x 64"):
        found(tmp_path)


@pytest.mark.parametrize("quality", [30, 75, 90])
@pytest.mark.parametrize("rows", [slice(4, 12), slice(31, 33)])
@pytest.mark.parametrize("ending", ["jpg", "webp", "tif"])
def test_a_format_that_loses_is_cut_at_half_of_its_range(tmp_path, quality, rows, ending, caplog):
    how = {"quality": quality} | ({"compression": "jpeg"} if ending == "tif" else {})
    save(tmp_path, *marked(rows=rows), mask_name=f"0_mask.{ending}", **how)
    bright, drawn, both = found(tmp_path)
    assert both > 0.95 * bright
    assert drawn < 1.1 * bright
    assert f"0_mask.{ending}: a mask of" in caplog.text


def palette(mask):
    image = Image.fromarray((mask > 0).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 1])  # a blue so dark that grey would make it black
    return image


@pytest.mark.parametrize(
    "drawn",
    [
        lambda m: m,
        lambda m: m // 255,
        lambda m: m.astype(np.uint16) * 257,
        lambda m: (m > 0).astype(np.uint16),
        palette,
        lambda m: np.dstack([np.full((SIDE, SIDE, 3), 255, np.uint8), m]),
        lambda m: np.dstack([m, m, m, np.full_like(m, 255)]),
        lambda m: Image.fromarray(np.dstack([np.full_like(m, 255), m]), "LA"),
        lambda m: Image.fromarray(m).convert("1"),
    ],
)
def test_two_levels_of_any_kind_are_what_they_are_without_a_word(tmp_path, drawn, caplog):
    image, mask = marked()
    save(tmp_path, image, drawn(mask))
    assert found(tmp_path) == (240, 240, 240)
    assert "levels" not in caplog.text


def test_more_than_two_levels_are_named_and_all_but_black_is_marked(tmp_path, caplog):
    image, mask = marked()
    mask[4:12, 30:40] = 7
    save(tmp_path, image, mask)
    assert found(tmp_path) == (240, 240, 240)
    assert "0_mask.png: a mask of 3 levels, marked is all but black" in caplog.text


def test_a_mask_of_no_image_is_named_and_two_of_one_image_are_refused(tmp_path, caplog):
    image, mask = marked()
    save(tmp_path, image, mask)
    Image.fromarray(mask).save(tmp_path / "ground_truth/crack/7_mask.png")
    found(tmp_path)
    assert "1 masks without an image, the first is" in caplog.text
    Image.fromarray(mask).save(tmp_path / "ground_truth/crack/0.bmp")
    with pytest.raises(ValueError, match=r"0\.bmp and .*0_mask\.png are masks of one image"):
        found(tmp_path)


def test_several_masks_of_an_image_lie_in_a_folder_of_its_name(tmp_path, caplog):
    image, mask = marked()
    image[40:44, 10:20] = 250
    save(tmp_path, image, mask, mask_name="9_mask.png")
    (tmp_path / "ground_truth/crack/9_mask.png").unlink()
    (tmp_path / "ground_truth/crack/0").mkdir()
    second = np.zeros_like(mask)
    second[40:44, 10:20] = 255
    for i, part in enumerate((mask, second)):
        Image.fromarray(part).save(tmp_path / f"ground_truth/crack/0/00{i}.png")
    assert found(tmp_path) == (280, 280, 280)
    assert "without an image" not in caplog.text
    (tmp_path / "ground_truth/crack/7").mkdir()
    Image.fromarray(mask).save(tmp_path / "ground_truth/crack/7/000.png")
    assert found(tmp_path) == (280, 280, 280)
    assert "1 masks without an image, the first is" in caplog.text
