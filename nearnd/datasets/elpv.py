"""ELPV (Deitsch et al. 2021): 2,624 electroluminescence images of solar cells, 300x300 and grey.

Experts gave each cell a probability of a defect: 0 is normal, and 1/3, 2/3 and 1 are anomalies of
which the first are the nearest. The files stand in the order of the modules that they were cut out
of, neighbours are as bright as each other, and no column names the module: so the normal cells are
split by contiguous blocks, never one by one.
"""

from typing import Literal

import numpy as np

from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits

CLASSES = ["good", "defect_1_3", "defect_2_3", "defect"]  # probability 0, 1/3, 2/3, 1
CELLS = {"mono": 1074, "poly": 1550}
ARCHIVES = {
    "elpv_dataset-1.0.0.post1-py3-none-any.whl": {
        "urls": ["package://elpv-dataset==1.0.0.post1"],
        "sha256": "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
        "bytes": 90_801_454,
    }
}
LICENCE = "CC BY-NC-SA 4.0, not for commercial use; cite doi 10.1007/s00138-021-01191-9"


def check(*, blocks: int = 10, train: float = 0.8, **rest) -> None:
    """See contracts.py."""
    if not 0 < round(train * blocks) < blocks:
        raise ValueError(f"elpv: train is {train} of {blocks} blocks; one at least has to test")


def count(of, *, cells: str, blocks: int, train: float, **rest) -> dict[str, int]:
    """See contracts.py."""
    n = round({"mono": 588, "poly": 920}[cells] * round(train * blocks) / blocks)
    return {"train": n, "test": CELLS[cells] - n, "channels": 3}


@reader
def build(
    archives,
    /,
    size: int = 256,
    cells: Literal["mono", "poly"] = "mono",
    train: float = 0.8,
    blocks: int = 10,
    split_seed: int = 0,
):
    """Monocrystalline or polycrystalline cells, uint8 (N, size, size, 3).

    The normal ones are cut, in the order of the files, into `blocks` runs of equal length, about
    as long as a module; `train` of the runs, drawn from a seed, train, the others and all defects
    are scored. ids are the names of the files.
    """
    (path,) = archives.values()
    table = "elpv_dataset/data/labels.csv"
    files = Archive(path, rf"{table}|elpv_dataset/data/images/cell\d+\.png")
    try:
        rows = [line.split() for line in files.lines(table)]
        labels = [(file.split("/")[-1], round(3 * float(p)), kind) for file, p, kind in rows]
    except ValueError as error:
        raise ValueError(f"elpv: {table} in {path} has another form: {error}") from error
    own = [(name, label) for name, label, kind in labels if kind == cells]
    expect("elpv", f"{cells} cells", len(own), CELLS[cells])
    runs = np.array_split([name for name, label in own if label == 0], blocks)
    order = np.random.default_rng(split_seed).permutation(blocks)
    trains = {str(name) for i in order[: round(train * blocks)] for name in runs[i]}
    splits = {"train": [], "test": []}
    for name, label in own:
        row = (name, label, files[f"elpv_dataset/data/images/{name}"])
        splits["train" if name in trains else "test"].append(row)
    return decode_splits(splits, size), CLASSES


def trained(**rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return CLASSES[:1]
