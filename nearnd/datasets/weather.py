"""Multi-class Weather (Ajayi 2018): 1,125 photographs of the sky, four classes.

FITYMI uses it one-vs-rest and publishes no split: this one is drawn from a seed, class by class.
Some files are grey or are other formats under the name of a JPEG.
"""

import numpy as np

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import reader
from nearnd.datasets._split import stratified
from nearnd.files.decode import decode_parts

CLASSES = ["cloudy", "rain", "shine", "sunrise"]
COUNTS = [300, 215, 253, 357]
ARCHIVES = {"dataset2.zip": {"bytes": 91_000_000, "about": True}}
LICENCE = "CC BY 4.0; doi 10.17632/4drtyfjtfy.1"
IMAGES = {"train": 900, "test": 225, "channels": 3}
GATED = (
    "The site gives no lasting link: download the set (91 MB, CC BY 4.0) from"
    " https://data.mendeley.com/datasets/4drtyfjtfy/1 and name its zip of images dataset2.zip."
)


@reader
def build(archives, /, size: int = 256, train: float = 0.8, split_seed: int = 0, fit: Fit = "crop"):
    """The four classes, uint8 (N, size, size, 3), `train` of each to train on.

    80 % is the share that FITYMI uses for WBC. ids are the file names, so that the split can be
    read from train.csv and test.csv; `fit` as in files/picture.py.
    """
    pattern = rf"(?:.+/)?(({'|'.join(CLASSES)})\d+\.\w+)"
    files = Archive(archives["dataset2.zip"], pattern).matching(pattern)
    names = [match[1] for match, _ in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(
            f"weather: {archives['dataset2.zip']} has {min(twice)} in two folders:"
            " it was packed anew, take the original"
        )
    labels = np.array([CLASSES.index(match[2]) for match, _ in files])
    for label, published in enumerate(COUNTS):
        expect("weather", f"images of {CLASSES[label]}", (labels == label).sum(), published)
    first, rest = stratified(labels, train, split_seed)
    sources = [(name, member) for name, (_, member) in zip(names, files, strict=True)]
    parts = {"train": first, "test": rest}
    return decode_parts(parts, sources, labels, size, "RGB", fit=fit), CLASSES
