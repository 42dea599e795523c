"""Tables between stages: csv, written whole or not at all, columns checked when read."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from nearnd.contracts import Images
from nearnd.files.arrays import AGAIN, array_facts, load_array, replacing, save_array, save_json
from nearnd.files.paths import lineage
from nearnd.files.regular import regular, sha256
from nearnd.tasks import Normal

NAMES = {
    "id", "class", "normal", "anomaly", "near", "dataset", "method", "test", "metric", "measure",
    "remark", "predicted",
}  # fmt: skip


def save_table(path: str | Path, table: pd.DataFrame) -> None:
    """Writes csv with nine significant digits, enough to give float32 back exactly; .tsv with tabs,
    for measured times, as snakemake's benchmarks."""
    text = table.select_dtypes(["object", "string"]).astype(str)
    odd = any("\r" in cell for cell in text.to_numpy().ravel())
    quoting = csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL  # which leaves a bare \r as it is
    with replacing(path) as part:
        table.to_csv(part, sep=_separator(path), index=False, float_format="%.9g", quoting=quoting)


def load_table(path: str | Path, *columns: str) -> pd.DataFrame:
    """Reads csv or tsv; the columns in NAMES stay text even if they look like numbers."""
    try:
        header = pd.read_csv(regular(path), sep=_separator(path), nrows=0).columns
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
    table = folder / f"{split}.csv"
    save_table(table, pd.DataFrame({"id": images.ids, "label": images.labels, "class": names}))
    save_array(folder / f"{split}.npy", images.pixels, table=sha256(table))
    save_array(folder / f"{split}_masks.npy", masks)


def load_names(pixels: str | Path) -> pd.DataFrame:
    """id and class of the images at `pixels`, without their pixels."""
    return _table_of(Path(pixels))[0]


def _table_of(pixels: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The table of a stored set and its pixels; ValueError unless they were written together."""
    file, array = pixels.with_suffix(".csv"), load_array(pixels, ndim=4, dtype="uint8")
    table = load_table(file, "id", "label", "class")
    if len(table) != len(array):
        raise ValueError(
            f"{pixels} has {len(array)} images, its table {file.name} {len(table)} rows{AGAIN}"
        )
    if array_facts(pixels, array).get("table") not in (None, sha256(file)):
        raise ValueError(f"{file} is not the table that was written with {pixels.name}{AGAIN}")
    return table, array


def load_images(pixels: str | Path) -> Images:
    """The image set at `pixels` (.npy, its .csv and masks beside it), with its class names."""
    pixels = Path(pixels)
    table, array = _table_of(pixels)
    labels, ids = table["label"].to_numpy(np.int64), table["id"].to_numpy(str)
    return Images(array, labels, ids, _masks(pixels, len(array)), table["class"].to_numpy(str))


def load_splits(train: str | Path, test: str | Path) -> dict[str, Images]:
    """Both splits of a stored set; ValueError unless their images are of one shape."""
    found = {"train": load_images(train), "test": load_images(test)}
    one, other = (images.pixels.shape[1:] for images in found.values())
    if one != other:
        raise ValueError(f"{train} has images of {one}, {test} of {other}{AGAIN}")
    return found


def load_task(pixels: str | Path, normal: str) -> Images:
    """The normal images of a stored set."""
    images = load_images(pixels)
    return images.rows(Normal.parse(normal).of(images.names))


def save_scores(path: str | Path, table: pd.DataFrame, **facts) -> None:
    """Writes a table of scores, and beside it (.json) the facts and whose scores they are."""
    path = Path(path)
    save_table(path, table)
    save_json(path.with_suffix(".json"), facts | {"of": lineage(path), "table": sha256(path)})


def load_scores(path: str | Path) -> tuple[pd.DataFrame, dict]:
    """The table and the facts. ValueError for a table that was not written there: those of other
    tasks, methods and seeds look alike."""
    path = Path(path)
    table, made = load_table(path, "id", "class", "is_anomaly", "score"), path.with_suffix(".json")
    try:
        facts = json.loads(regular(made).read_text(encoding="utf-8"))
        ours = (facts["of"], facts["table"]) == (lineage(path), sha256(path))
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"{made} is not what was written with {path.name}: {error}{AGAIN}"
        ) from error
    if not ours:
        raise ValueError(f"{path} is not the table that was written with {made}{AGAIN}")
    return table, facts


def _masks(pixels: Path, n: int) -> np.ndarray | None:
    file = pixels.with_name(f"{pixels.stem}_masks.npy")
    masks = load_array(file, ndim=3, dtype="uint8") if file.exists() else []
    if len(masks) not in (0, n):
        raise ValueError(f"{pixels} has {n} images and {file.name} {len(masks)} masks{AGAIN}")
    return masks if len(masks) else None


def one_row(facts: dict) -> pd.DataFrame:
    """A table with one row."""
    return pd.DataFrame([facts])


def below(table: pd.DataFrame, note: str) -> str:
    """What stands below a table: the note, and its footnotes ("(a) ...")."""
    return "\n\n".join([note] * bool(note) + table.attrs.get("footnotes", []))


def explained(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the footnotes of each row in a last column, if it has footnotes: a csv has
    nothing below it."""
    notes = [note.partition(" ")[::2] for note in table.attrs.get("footnotes", [])]
    if not notes:
        return table
    texts = [" ".join(map(str, row)) for row in table.to_numpy()]
    said = ["; ".join(f"{mark} {words}" for mark, words in notes if mark in t) for t in texts]
    return table.assign(notes=said)


# What LaTeX reads as something else. A row that begins with [ or * would belong to the \\\\ before.
TEX = {c: "\\" + c for c in "%&_#${}"} | {"±": r"$\pm$", "[": "{[}", "*": "{*}", "|": r"\textbar{}"}
TEX |= {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
TEX |= {
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "`": "{`}",
    "-": "{-}",
    "•": r"$\bullet$",
}
MARKDOWN = {c: "\\" + c for c in "\\`*_[]<>|&~$#"}


def to_latex(table: pd.DataFrame, note: str = "") -> str:
    """A booktabs table to \\input, the note and what its marks mean below it."""
    note = note_of(table, note)
    lines = texts(table, TEX).to_latex(index=False, escape=False)
    return lines + (f"% {' '.join(note.split())}\n" if note else "")


def to_markdown(table: pd.DataFrame, note: str = "") -> str:
    """A table of Markdown with pipes, the note and what its marks mean below it. A name stays what
    it is, also 007."""
    note = note_of(table, note)
    aligned = ["right" if is_numeric_dtype(kind) else "left" for kind in table.dtypes]
    text = texts(table, MARKDOWN)
    lines = text.to_markdown(index=False, disable_numparse=True, colalign=aligned)
    return lines + (f"\n\n{note}\n" if note else "\n")


def note_of(table: pd.DataFrame, note: str) -> str:
    """The note, and what the marks of a table mean."""
    return "\n\n".join(part for part in (note, table.attrs.get("legend", "")) if part)


def texts(table: pd.DataFrame, escaped: dict[str, str]) -> pd.DataFrame:
    """Cells and names of columns as texts in a language with special characters; what cannot be
    printed, a line break too, is a space."""

    def text(cell) -> str:
        if not isinstance(cell, str):
            cell = "" if pd.isna(cell) else f"{cell:g}" if isinstance(cell, float) else str(cell)
        return "".join(escaped.get(c, c if c.isprintable() else " ") for c in cell)

    return table.astype(object).map(text).rename(columns=text)
