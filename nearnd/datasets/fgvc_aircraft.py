"""FGVC-Aircraft: ten of its 100 variants of aircraft, no two from one manufacturer.

FITYMI and UNODE drew these ten and score one against the other nine. The list is of positions in
variants.txt from 0 on: read from 1 on it would have two variants of McDonnell Douglas. It is not
stated whether the validation images train too (33 or 34 images of each variant without them).
"""

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits

LINKS = ["https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/"]
ARCHIVES = {
    "fgvc-aircraft-2013b.tar.gz": {
        "md5": "d4acdd33327262359767eeaa97a4f732",
        "bytes": 2_750_000_000,
        "about": True,
    }
}
LICENCE = "non-commercial research only; cite Maji et al. (2013)"
IMAGES = {"train": 334, "test": 333, "channels": 3}  # ten variants
VARIANTS = [91, 96, 59, 19, 37, 45, 90, 68, 74, 89]
CLASSES = [
    "PA-28", "Tornado", "DHC-6", "777-200", "BAE 146-200", "CRJ-700", "Model B200", "ERJ 135",
    "Falcon 2000", "Metroliner",
]  # fmt: skip
BANNER = 20  # rows at the bottom of every image: who took it
DATA = "fgvc-aircraft-2013b/data"


@reader
def build(archives, /, size: int = 256, val: bool = False, fit: Fit = "crop"):
    """The ten variants, with `val` the validation images train too; uint8 (N, size, size, 3).

    The banner is cut off before resizing. ids are the file names; `fit` as in files/picture.py.
    """
    (archive,) = archives.values()
    files = Archive(archive, rf"{DATA}/(images/\w+\.jpg|\w+\.txt)")
    variants = files.lines(f"{DATA}/variants.txt")
    if len(variants) <= max(VARIANTS) or [variants[i] for i in VARIANTS] != CLASSES:
        raise ValueError(f"fgvc_aircraft: variants.txt in {archive} has other variants")

    def rows(split: str) -> list:
        found = files.pairs(f"{DATA}/images_variant_{split}.txt")
        return [
            (f"{image}.jpg", CLASSES.index(variant), files[f"{DATA}/images/{image}.jpg"])
            for image, variant in found.items()
            if variant in CLASSES
        ]

    splits = {"train": rows("trainval" if val else "train"), "test": rows("test")}
    return decode_splits(splits, size, fit=fit, cut=BANNER), CLASSES
