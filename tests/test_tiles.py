"""Pictures larger than the network's view, in pieces: nothing is lost, and no seam is seen."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from bricks import BRICK, scratch
from PIL import Image
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.files.decode import resize
from nearnd.networks.backbone import create, describe, save_backbone
from nearnd.networks.tiles import count, cut, joined, starts, weights

TILE, LARGE = 224, 1008
PATCHCORE = {"kind": "patchcore", "dimension": 32, "share": 0.02, "limit": 8_000}
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A file with a small network of random weights."""
    file = tmp_path_factory.mktemp("tiles") / "b.safetensors"
    torch.manual_seed(0)
    net = create({"model": "test_resnet", "kwargs": {}}).eval()
    save_backbone(
        file, net, describe(net, "test_resnet", {}, 0.5, 0.25) | {"size": 224, "resize": 224}
    )
    return file


def walls(n: int, side: int = LARGE, scratched: bool = False, seed: int = 0) -> np.ndarray:
    """Pictures uint8 (n, side, side, 3): cuts of a wall, mirrored at its edges, with a camera's
    noise; `scratched` ones have a line of two pixels' width."""
    random = np.random.default_rng([seed, scratched])
    wall = np.pad(np.asarray(Image.open(BRICK).convert("L"), np.float64), 512, mode="reflect")
    pictures = np.zeros((n, side, side, 3), np.uint8)
    for i in range(n):
        top, left = random.integers(0, len(wall) - side + 1, 2)
        image = wall[top : top + side, left : left + side] + random.normal(0, 2, (side, side))
        if scratched:
            line, (y, x) = scratch(224, random), random.integers(0, side - 223, 2)
            piece = image[y : y + 224, x : x + 224]
            piece += (255 - piece) * line  # it glints
        pictures[i] = image.round().clip(0, 255)[..., None]
    return pictures


def fitted(pixels, backbone, **more):
    detector = plugins.build("detectors", PATCHCORE | more)
    ids = np.array([str(i) for i in range(len(pixels))])
    detector.fit(Images(pixels, np.zeros(len(pixels), int), ids), backbone=backbone, seed=0)
    return detector


def highest(detector, pixels) -> np.ndarray:
    return plugins.build("scores", {"kind": "highest", "share": 0.0})({}, detector.embed(pixels))[
        "score"
    ]


@pytest.mark.parametrize("side", [224, 240, 448, 1008, 1024])
@pytest.mark.parametrize("cell", [8, 16])
def test_pieces_cover_a_picture_and_overlap_by_a_quarter(side, cell):
    at = starts(side, TILE, cell)
    assert at[0] == 0
    assert at[-1] == side - TILE
    assert all(start % cell == 0 for start in at)
    assert all(b - a <= TILE - TILE // 4 + cell for a, b in pairwise(at))
    assert np.allclose(weights(at, TILE, side, TILE // cell).sum(1), 1)
    assert count(side, TILE) == len(at) ** 2


def test_joined_pieces_of_a_map_are_the_map():
    """What a network does at each cell by itself is the same in pieces: here the mean of cells."""
    x = torch.rand(2, 3, 96, 96)
    at = starts(96, 32, 8)
    maps = F.avg_pool2d(cut(x, at, 32), 8)  # (2 k k, 3, 4, 4)
    assert torch.allclose(joined(maps, at, 32, 96), F.avg_pool2d(x, 8), atol=1e-6)


def test_a_scratch_of_two_pixels_is_found_in_pieces_and_lost_without(backbone, tmp_path):
    normal, held, bad = walls(4), walls(4, seed=1), walls(4, scratched=True)
    tiled = fitted(normal, backbone, tile=TILE)
    found = highest(tiled, np.concatenate([held, bad]))
    assert found[4:].min() > found[:4].max()
    small = [resize(pixels, TILE) for pixels in (normal, np.concatenate([held, bad]))]
    lost = highest(fitted(small[0], backbone), small[1])
    assert (lost[4:] > lost[:4].max()).sum() <= 2, lost  # of 4: no better than by chance
    tiled.save(tmp_path / "d.safetensors")
    again = plugins.build("detectors", PATCHCORE)  # the file says that there are pieces
    again.load(tmp_path / "d.safetensors")
    assert np.array_equal(highest(again, bad[:1]), found[4:5])
    where = again.embed(bad[:1])["map"]
    assert where.shape == (1, LARGE // 8, LARGE // 8)  # the map at the picture's resolution


def test_no_seam_is_seen_on_a_plain_picture(backbone):
    """Where pieces overlap, a plain picture's map is as high as inside of pieces: to a tenth of its
    deviation. Cut hard and laid edge to edge it is not."""
    plain = (128 + RNG.normal(0, 4, (3, 448, 448, 1))).round().astype(np.uint8).repeat(3, 3)
    detector = fitted(plain[:2], backbone, tile=TILE)
    found = detector.embed(plain[2:])["map"][0]  # (56, 56)
    at = starts(448, TILE, 16)
    inside = found[4:-4, 4:-4]  # without the border, which is one in any map
    edges = {e // 8 for start in at for e in (start, start + TILE)} - {0, 56}
    near = np.zeros(56, bool)
    for edge in edges:
        near[edge - 1 : edge + 1] = True
    seam = near[4:-4]
    off = abs(inside[:, seam].mean() - inside[:, ~seam].mean()) / inside.std()
    print(f"seam: {off:.3f} deviations")
    assert off < 0.2


def test_an_untiled_detector_is_as_it_was(backbone):
    """A picture of one tile is that tile."""
    normal, new = walls(3, TILE), walls(2, TILE, scratched=True)
    one, other = fitted(normal, backbone), fitted(normal, backbone, tile=TILE)
    assert np.allclose(one.embed(new)["map"], other.embed(new)["map"], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("side", "more", "words"),
    [(1000, {"tile": 224}, "`size` in the dataset's entry may be 992 or 1008"),
     (448, {"tile": 100}, "in the detector's 96 or 112"),
     (224, {"tile": 448}, "of which it has to be a part"),
     (448, {"tile": 0}, "of which it has to be a part"),
     (448, {"tile": 224, "crop": 224}, "tile takes the place of resize and crop")],
)  # fmt: skip
def test_a_tile_that_cannot_be_is_a_sentence(backbone, side, more, words):
    with pytest.raises(ValueError, match=words):
        fitted(np.zeros((2, side, side, 3), np.uint8), backbone, **more)
