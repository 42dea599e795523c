"""ELPV (Deitsch et al. 2021): 2,624 electroluminescence images of solar cells, 300x300 and grey.

Experts gave each cell a probability of a defect: 0 is normal, and 1/3, 2/3 and 1 are anomalies of
which the first are the nearest. The files stand in the order of the modules that they were cut out
of, neighbours are as bright as each other, and no column names the module: so the normal cells are
split by contiguous blocks, never one by one.
"""

import numpy as np

from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import Reader
from nearnd.files.decode import decode_splits

CLASSES = ["good", "defect_1_3", "defect_2_3", "defect"]  # probability 0, 1/3, 2/3, 1
CELLS = {"mono": 1074, "poly": 1550}
ARCHIVES = [
    {
        "name": "elpv_dataset-1.0.0.post1-py3-none-any.whl",
        "urls": [],
        "package": "elpv-dataset==1.0.0.post1",
        "sha256": "85e31c1126ee9b48e62d3a0232c58f58b2d189b0814a45c13642fa0415af4a4c",
        "bytes": 90_801_454,
    }
]
LICENCE = "CC BY-NC-SA 4.0: not for commercial use; cite Deitsch et al., doi 10.1007/s00138-021-01191-9"


def check(*, cells: str, blocks: int, train: float, **rest) -> None:
    """See contracts.py."""
    if cells not in CELLS:
        raise ValueError(f"elpv: cells is {cells!r}, it may be {' or '.join(CELLS)}")
    if not 0 < round(train * blocks) < blocks:
        raise ValueError(
            f"elpv: train is {train} of {blocks} blocks, at least one has to train and one to test"
        )


def count(of, *, cells: str, blocks: int, train: float, **rest) -> dict[str, int]:
    """See contracts.py."""
    normal = {"mono": 588, "poly": 920}[cells]
    n = round(normal * round(train * blocks) / blocks)
    return {"train": n, "test": CELLS[cells] - n, "channels": 1}


def build(
    size: int = 224,
    cells: str = "mono",
    train: float = 0.8,
    blocks: int = 10,
    split_seed: int = 0,
    mode: str = "RGB",
) -> Reader:
    """Monocrystalline or polycrystalline cells, uint8 (N, size, size, C).

    The normal ones are cut, in the order of the files, into `blocks` runs of equal length, about
    as long as a module; `train` of the runs, drawn from a seed, train, the others and all defects
    are scored. ids are the names of the files.
    """

    def read(archives):
        path = archives[ARCHIVES[0]["name"]]
        table = "elpv_dataset/data/labels.csv"
        files = Archive(path, rf"{table}|elpv_dataset/data/images/cell\d+\.png")
        rows = [line.split() for line in files.lines(table)]
        try:  # 0.3333333333333333 and such
            labels = [(name, round(3 * float(share)), kind) for name, share, kind in rows]
        except ValueError as error:
            raise ValueError(f"elpv: {table} in {path} has another form: {error}") from error
        own = [(name.removeprefix("images/"), label) for name, label, kind in labels if kind == cells]
        expect("elpv", f"{cells} cells", len(own), CELLS[cells])
        normal = [name for name, label in own if label == 0]
        runs = np.array_split(normal, blocks)
        order = np.random.default_rng(split_seed).permutation(blocks)
        train_names = {name for i in order[: round(train * blocks)] for name in runs[i]}
        splits = {"train": [], "test": []}
        for name, label in own:
            row = (name, label, files[f"elpv_dataset/data/images/{name}"])
            splits["train" if name in train_names else "test"].append(row)
        return decode_splits(splits, size, mode), CLASSES

    return Reader(read)


def trained(**rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return CLASSES[:1]
