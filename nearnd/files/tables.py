"""Tables between stages: csv, written whole or not at all, columns checked when read."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from nearnd.contracts import Images
from nearnd.files.arrays import AGAIN, load_array, replacing, save_array
from nearnd.tasks import Normal

NAMES = {
    "id", "class", "normal", "anomaly", "near", "dataset", "method", "test", "metric", "measure",
    "remark",
}  # fmt: skip


def save_table(path: str | Path, table: pd.DataFrame) -> None:
    """Writes csv with nine significant digits, enough to give float32 back exactly; .tsv with tabs,
    for measured times, as snakemake's benchmarks."""
    text = table.select_dtypes(["object", "string"]).astype(str)
    odd = any(text[column].str.contains("\r", regex=False).any() for column in text)
    quoting = csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL  # which leaves a bare \r as it is
    with replacing(path) as part:
        table.to_csv(part, sep=_separator(path), index=False, float_format="%.9g", quoting=quoting)


def load_table(path: str | Path, *columns: str) -> pd.DataFrame:
    """Reads csv or tsv; the columns in NAMES stay text even if they look like numbers."""
    try:
        header = pd.read_csv(path, sep=_separator(path), nrows=0).columns
        numbers = [column for column in header if column not in NAMES]
        table = pd.read_csv(
            path,
            sep=_separator(path),
            dtype={column: str for column in header if column in NAMES},
            keep_default_na=False,
            na_values={column: ["", "nan"] for column in numbers},  # a class may be called "NA"
        )
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is not a readable table: {error}{AGAIN}") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; it has {list(table)}{AGAIN}")
    return table


def _separator(path: str | Path) -> str:
    return "\t" if Path(path).suffix == ".tsv" else ","


def save_images(folder: str | Path, split: str, images: Images, classes: list[str]) -> None:
    """Writes {split}.npy (pixels), {split}.csv (id, label, class) and {split}_masks.npy, which has
    no rows if the set has no masks."""
    folder, (height, width) = Path(folder), images.pixels.shape[1:3]
    names = np.asarray(classes, dtype=object)[images.labels]
    masks = np.zeros((0, height, width), np.uint8) if images.masks is None else images.masks
    save_array(folder / f"{split}.npy", images.pixels)
    save_array(folder / f"{split}_masks.npy", masks)
    save_table(
        folder / f"{split}.csv",
        pd.DataFrame({"id": images.ids, "label": images.labels, "class": names}),
    )


def load_names(pixels: str | Path) -> pd.DataFrame:
    """id and class of the images at `pixels`, without their pixels."""
    return load_table(Path(pixels).with_suffix(".csv"), "id", "class")


def load_images(pixels: str | Path) -> Images:
    """The image set at `pixels` (.npy, its .csv and masks beside it), with its class names."""
    pixels = Path(pixels)
    table = load_table(pixels.with_suffix(".csv"), "id", "label", "class")
    array = load_array(pixels, ndim=4, dtype="uint8")
    if len(table) != len(array):
        file = pixels.with_suffix(".csv").name
        raise ValueError(
            f"{pixels} has {len(array)} images, its table {file} {len(table)} rows{AGAIN}"
        )
    labels, ids = table["label"].to_numpy(np.int64), table["id"].to_numpy(str)
    return Images(array, labels, ids, _masks(pixels, len(array)), table["class"].to_numpy(str))


def load_task(pixels: str | Path, normal: str) -> Images:
    """The normal images of a stored set."""
    images = load_images(pixels)
    return images.rows(Normal.parse(normal).of(images.names))


def _masks(pixels: Path, n: int) -> np.ndarray | None:
    file = pixels.with_name(f"{pixels.stem}_masks.npy")
    masks = load_array(file, ndim=3, dtype="uint8") if file.exists() else []
    if len(masks) not in (0, n):
        raise ValueError(f"{pixels} has {n} images and {file.name} {len(masks)} masks{AGAIN}")
    return masks if len(masks) else None


def one_row(facts: dict) -> pd.DataFrame:
    """A table with one row."""
    return pd.DataFrame([facts])


def to_latex(table: pd.DataFrame, note: str = "") -> str:
    """A booktabs table to \\input, the note below it."""
    text = table.map(lambda cell: "" if pd.isna(cell) else _escape(str(cell)))
    text = text.rename(columns=_escape)
    lines = text.to_latex(index=False, escape=False)
    return lines + (f"% {note}\n" if note else "")


def _escape(text: str) -> str:
    for plain, tex in [("%", r"\%"), ("&", r"\&"), ("_", r"\_"), ("#", r"\#"), ("±", r"$\pm$")]:
        text = text.replace(plain, tex)
    return text
