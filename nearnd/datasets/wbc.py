"""White blood cells (Dataset 1 of zxaoyou/segmentation_WBC): FITYMI's medical near-ND benchmark.

300 stained microscope images of 88 to 120 pixels (most are 120x120), one cell in the middle of
each. The four classes with more than one image are used, as in FITYMI. Neither the paper nor the
source gives a split. 112.bmp and 139.bmp, both lymphocytes, are the same file.
"""

import csv
import hashlib
import re
from pathlib import Path

import numpy as np

from nearnd.datasets._archive import Archive, Member
from nearnd.datasets._reader import Reader
from nearnd.datasets._split import stratified
from nearnd.files.decode import decode_parts

CLASSES = ["neutrophil", "lymphocyte", "monocyte", "eosinophil"]  # numbers 1..4 in the csv
LINKS = ["https://github.com/zxaoyou/segmentation_WBC/archive/"]
ARCHIVES = {
    "fa9c01622f52bccb9aeb8a6f2628f564e377767d.tar.gz": {
        # GitHub makes such archives anew: the files inside are checked instead
        "hint": "Any tar.gz of the repository zxaoyou/segmentation_WBC at that commit will do"
        " (for example packed from a git clone).",
        "bytes": 23_392_498,
        "about": True,
    }
}
LICENCE = "GPL-3.0 repository; images from Jiangxi Tecom, to be acknowledged"
IMAGES = {"train": 239, "test": 60, "channels": 3}  # 299 images, 80/20
CSV_SHA256 = "25bc0d0aca66a982866c74da4824f61c53aff89cea00af15ca2abdd8fa5d9aef"
BMP_SHA256 = "b37c12a50ae51e88c770187fc1ec88c6f74b22057f44f9feb1c32588d5c11187"  # all, in order
TABLE = "Class Labels of Dataset 1.csv"


def _unpack(archive: Path) -> tuple[dict[str, int], dict[str, Member]]:
    """{"001.bmp": class number 1..5} and {"001.bmp": file}, read without unpacking on disk."""
    files = Archive(archive, rf"[^/]+/(Dataset 1/\d{{3}}\.bmp|{re.escape(TABLE)})")
    cells = {match[1]: member for match, member in files.matching(r".+/(\d{3}\.bmp)")}
    tables = [member for _, member in files.matching(rf".+/{re.escape(TABLE)}")]
    for what, members, expected in (
        (f"{TABLE!r}", tables, CSV_SHA256),
        (
            f"the {len(cells)} images NNN.bmp (of 300) of 'Dataset 1'",
            [cells[name] for name in sorted(cells)],
            BMP_SHA256,
        ),
    ):
        digest = hashlib.sha256()
        for member in members:
            digest.update(member.read_bytes())
        if digest.hexdigest() != expected:
            raise ValueError(
                f"wbc: {what} in {archive} has sha256 {digest.hexdigest()}, expected {expected};"
                f" delete the file to fetch it again. {next(iter(ARCHIVES.values()))['hint']}"
            )
    rows = csv.DictReader(files.lines(tables[0].name))
    numbers = {f"{int(row['image ID']):03d}.bmp": int(row["class label"]) for row in rows}
    return numbers, cells


def build(size: int = 32, train: float = 0.8, split_seed: int = 0) -> Reader:
    """The four big classes, uint8 (N, size, size, 3), `train` of each class to train on.

    80 % / 20 % is FITYMI's share. It does not state the size its generator works at: 32 is a size
    that two cores can train at, the scans themselves have 120. ids are the file names.
    """

    def read(archives):
        numbers, cells = _unpack(next(iter(archives.values())))
        names = [name for name in sorted(cells) if numbers[name] <= len(CLASSES)]
        labels = np.array([numbers[name] - 1 for name in names])
        first, rest = stratified(labels, train, split_seed)
        sources = [(name, cells[name]) for name in names]
        parts = {"train": first, "test": rest}
        return decode_parts(parts, sources, labels, size, "RGB"), CLASSES

    return Reader(read)
