"""Outlier exposure: how many images, of how many classes, how blurred."""

import numpy as np
import pytest

from nearnd import plugins

NAMES = np.repeat([f"class {c}" for c in range(5)], 8)  # (40,)
OTHERS = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1)


def drawn(n=200, seed=0, **arguments) -> tuple[set, dict]:
    exposure = plugins.build("fakes", {"kind": "exposure", **arguments})
    images, facts = exposure.draw(n, seed=seed, normal=None, others=OTHERS, names=NAMES)
    assert len(images) == n
    return set(images.ravel().tolist()), facts


def test_a_smaller_set_is_part_of_a_larger_one_and_all_of_it_is_shown():
    sizes = {k: drawn(images=k) for k in (1, 4, 16, 40)}
    for k, (rows, facts) in sizes.items():
        assert len(rows) == facts["outlier_images"] == k
    assert sizes[1][0] < sizes[4][0] < sizes[16][0] < sizes[40][0]
    assert drawn(images=4, seed=1)[0] != sizes[4][0]
    with pytest.raises(ValueError, match="images is 41, there are 40"):
        drawn(images=41)


def test_fewer_classes_are_whole_and_part_of_more_classes():
    few, many = drawn(classes=2), drawn(classes=4)
    for (rows, facts), k in ((few, 2), (many, 4)):
        assert facts["outlier_classes"] == len({NAMES[row] for row in rows}) == k
        assert len(rows) == 8 * k
    assert few[0] < many[0]
    assert len({frozenset(drawn(classes=2, seed=s)[0]) for s in range(10)}) > 1
    assert drawn(classes=["class 3"])[0] == set(range(24, 32))
    with pytest.raises(ValueError, match="classes is 6, there are 5"):
        drawn(classes=6)
    with pytest.raises(ValueError, match=r"no classes \['class 9'\], only"):
        drawn(classes=["class 9"])


def test_images_are_chosen_among_those_of_the_classes():
    rows, facts = drawn(classes=["class 0", "class 4"], images=10)
    assert rows <= {*range(8), *range(32, 40)}
    assert facts["outlier_images"] == 10


def test_blur_is_a_gaussian_that_keeps_the_mean_and_every_image_to_itself():
    point = np.zeros((3, 21, 21, 2), np.uint8)
    point[1, 10, 10] = 255
    exposure = plugins.build("fakes", {"kind": "exposure", "blur": 1.5})
    soft, _ = exposure.draw(3, seed=0, normal=None, others=point)
    assert not soft[[0, 2]].any()
    y, x = np.mgrid[-10:11, -10:11]
    law = 255 * np.exp(-(x**2 + y**2) / (2 * 1.5**2)) / (2 * np.pi * 1.5**2)
    assert abs(soft[1].astype(float) - law[..., None]).max() < 1
    flat = np.full((2, 9, 9, 1), 77, np.uint8)
    assert (exposure.draw(2, seed=0, normal=None, others=flat)[0] == 77).all()


@pytest.mark.parametrize(
    ("entry", "words"),
    [({"images": 0}, "images is 0"), ({"classes": 0}, "classes is 0"),
     ({"classes": []}, r"classes is \[\]"), ({"blur": -1}, "blur is -1")],
)  # fmt: skip
def test_an_entry_that_cannot_work(entry, words):
    with pytest.raises(ValueError, match=words):
        plugins.build("fakes", {"kind": "exposure", **entry})
