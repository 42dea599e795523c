"""A folder like everybody's own: real bricks, some with a scratch or a blot drawn on them.

    train/good    test/good    test/scratch    test/blot    ground_truth/scratch, ground_truth/blot

The picture is fixtures/brick.png. Training images are cut from its left half, test images from its
right one, half of both mirrored: what leans to the right there leans to the left here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

BRICK = Path(__file__).parent / "fixtures/brick.png"
NOISE = 2.0  # grey levels of a camera
LIGHT = 0.1  # exposures differ by so much up and down


def bricks(
    root: Path,
    train: int = 400,
    test: int = 100,
    side: int = 224,
    seed: int = 0,
    picture: Path = BRICK,
) -> Path:
    """Fills the folder `root`: `train` normal images, `test` others, of which a quarter has a
    scratch and a quarter a blot. The same seed gives the same images; they are of `side` pixels."""
    whole = np.asarray(Image.open(picture).convert("L"), np.float64)  # (H, W)
    left, right = np.array_split(whole, 2, axis=1)
    random = np.random.default_rng(seed)
    kinds = ["good"] * (test - 2 * (test // 4)) + ["scratch", "blot"] * (test // 4)
    for i in range(train):
        _save(root / f"train/good/{i:03d}.png", photograph(_cut(left, side, random), random))
    for i, kind in enumerate(kinds):
        image = _cut(right, side, random)
        if kind != "good":
            share = {"scratch": scratch, "blot": blot}[kind](side, random)  # (side, side)
            image = image + random.choice([-1, 1]) * random.uniform(35, 60) * share
            _save(root / f"ground_truth/{kind}/{i:03d}_mask.png", 255 * (share >= 0.5))
        _save(root / f"test/{kind}/{i:03d}.png", photograph(image, random))
    return root


def scratch(side: int, random: np.random.Generator) -> np.ndarray:
    """How much of each pixel (side, side) a bent line covers that is two pixels wide."""
    y, x = np.mgrid[:side, :side]
    length, angle = random.uniform(0.2, 0.45) * side, random.uniform(0, 2 * np.pi)
    middle, bend = random.uniform(0.3, 0.7, 2) * side, random.uniform(-0.15, 0.15) * length
    t = np.linspace(-0.5, 0.5, 2 * side)
    along, across = t * length, bend * (1 - 4 * t**2)
    points = middle[:, None] + [
        along * np.cos(angle) - across * np.sin(angle),
        along * np.sin(angle) + across * np.cos(angle),
    ]  # (2, n)
    away = np.full((side, side), np.inf)
    for row, column in points.T:
        np.minimum(away, np.hypot(y - row, x - column), out=away)
    return np.clip(1.5 - away, 0, 1)


def blot(side: int, random: np.random.Generator) -> np.ndarray:
    """How much of each pixel (side, side) a spot with an uneven border covers."""
    y, x = np.mgrid[:side, :side]
    row, column = random.uniform(0.2, 0.8, 2) * side
    radius, turn = random.uniform(0.03, 0.07) * side, random.uniform(0, 2 * np.pi, 3)
    at = np.arctan2(y - row, x - column)
    border = 1 + sum(0.12 * np.sin(k * at + turn[k - 2]) for k in (2, 3, 4))
    return np.clip(radius * border - np.hypot(y - row, x - column) + 0.5, 0, 1)


def photograph(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """With another exposure and noise; every image, normal or not, goes through it."""
    exposed = image * random.uniform(1 - LIGHT, 1 + LIGHT)
    return exposed + random.normal(0, NOISE, image.shape)


def _cut(whole: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    top, first = (random.integers(0, length - side + 1) for length in whole.shape)
    image = whole[top : top + side, first : first + side]
    return image[:, ::-1] if random.random() < 0.5 else image


def _save(file: Path, image: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image.round().clip(0, 255).astype(np.uint8)).save(file)
