"""Another dataset's test images under corruptions made here: a test set only.

For the sets that UNODE made and did not publish (SVHN-C, EMNIST-Letters-C), for Fashion-MNIST-C
with the corruptions apart, and for any dataset of one's own. The severities are in _corruptions.py;
UNODE does not state its own.

Every image is embedded and scored once. Its id is "fog/3/test/00017" (corruption, severity, id of
the clean image), so that a table takes the rows of one corruption or severity by the id's prefix,
and pairs an image with its clean original by what is left.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._reader import Reader
from nearnd.datasets._split import SEVERITIES, chosen
from nearnd.files.arrays import release, scratch
from nearnd.files.tables import load_images

NEEDS = ["of"]
SPLITS = ["test"]
LICENCE = "as the dataset that is corrupted"


def count(
    of, *, corruptions: Sequence[str] | None, severities: Sequence[int] = SEVERITIES, **rest
) -> dict[str, int]:
    """See contracts.py."""
    from nearnd.datasets._corruptions import CORRUPTIONS  # not where a run is planned: slow

    slices = len(CORRUPTIONS if corruptions is None else corruptions) * len(severities)
    return {"train": 0, "test": slices * of.test, "channels": of.channels}


def build(
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = tuple(SEVERITIES),
    seed: int = 0,
) -> Reader:
    """The test images of the dataset `of` under each corruption (None: all 22) and severity.

    uint8 (N, H, W, C) as the clean ones, N = corruptions x severities x clean images. The same
    seed gives the same bytes, whatever else is chosen.
    """
    from nearnd.datasets._corruptions import CORRUPTIONS, corrupt

    names = chosen("corrupted", list(CORRUPTIONS), corruptions, severities)

    def read(archives):
        clean = load_images(archives["of"])
        known = dict(zip(clean.labels.tolist(), clean.names.tolist(), strict=True))
        classes = [known.get(label, "") for label in range(max(known, default=-1) + 1)]
        n, rows = len(clean), [(name, s) for name in names for s in severities]
        pixels = scratch((len(rows) * n, *clean.pixels.shape[1:]))  # (N, H, W, C)
        for block, (name, severity) in enumerate(rows):
            for i, image in enumerate(clean.pixels):
                # An image's own draws, whatever other corruptions or images there are.
                own = [zlib.crc32(word.encode()) for word in (name, str(clean.ids[i]))]
                rng = np.random.default_rng([seed, severity, *own])
                pixels[block * n + i] = corrupt(image, name, severity, rng)
            release(pixels)
        ids = np.array([f"{name}/{severity}/{i}" for name, severity in rows for i in clean.ids])
        test = Images(pixels, np.tile(clean.labels, len(rows)), ids)
        return {"train": test.rows(slice(0)), "test": test}, classes

    return Reader(read)
