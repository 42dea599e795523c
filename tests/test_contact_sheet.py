"""The contact sheet shows what the image files hold, class by class."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet

from nearnd.contracts import Images
from nearnd.files import tables
from nearnd.report import reads
from nearnd.tables_figures import contact_sheet


@pytest.fixture
def data(tmp_path):
    """good and crack in both splits; image i of a class has the level 10 i; cracks are marked."""
    names, found = ["good", "crack"], []
    for split, labels in (("train", [0] * 20), ("test", [1, 0, 1, 0, 1])):
        labels = np.array(labels)
        level = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)])
        pixels = np.tile((10 * level[:, None, None, None]).astype(np.uint8), (1, 200, 200, 3))
        masks = np.zeros((len(labels), 200, 200), np.uint8)
        masks[labels == 1, 50:100, 100:] = 1
        ids = np.arange(len(labels)).astype(str)
        images = Images(pixels, labels, ids, masks if split == "test" else None)
        tables.save_images(tmp_path, split, images, names)
        found.append({"dataset": "cups", "images": split, "file": str(tmp_path / f"{split}.npy")})
    return {"images": reads.READS["images"].load(found)}


def test_classes_are_in_label_order_with_their_numbers(data):
    figure = contact_sheet.build()(data)
    words = [[text.get_text() for text in ax.get_yticklabels()] for ax in figure.axes]
    assert words == [["good (20)"], ["good (2)", "crack (3)"]]
    assert [ax.get_title() for ax in figure.axes] == [
        "cups: training images (20)", "cups: test images (5)"
    ]  # fmt: skip


def test_images_are_picked_evenly_and_masks_are_outlined(data):
    figure = contact_sheet.build(columns=12)(data)
    train, test = figure.axes
    levels = [int(picture.get_array().max()) for picture in train.images]
    assert levels[0] == 0
    assert levels[-1] == 190  # the last of 20
    assert levels == sorted(levels)
    assert len(levels) == 12
    outlines = [c for c in test.get_children() if isinstance(c, ContourSet)]
    assert len(outlines) == 3  # of the cracks
    assert not [c for c in train.get_children() if isinstance(c, ContourSet)]
    corners = np.concatenate([path.vertices for path in outlines[0].get_paths()])
    assert np.allclose(corners.min(0), [0.47, 1 + 0.235], atol=0.02)  # of a cell of side 0.94
    assert np.allclose(corners.max(0), [0.94, 1 + 0.47], atol=0.02)


def test_a_set_of_many_classes_says_how_many_it_leaves_out(data):
    shown = data["images"][1]
    shown["classes"] = {f"c{i:03d}": shown["classes"]["good"] for i in range(200)}
    figure = contact_sheet.build(classes=30)(data)
    FigureCanvasAgg(figure).draw()
    test = figure.axes[1]
    assert len(test.get_yticklabels()) == 30
    assert "170 more classes" in test.get_title()
