"""Fakes that somebody else made: one array in class order, or a folder of images."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearnd.contracts import Fit
from nearnd.files.arrays import load_array
from nearnd.files.image_folders import nothing, parts, pictures, walk, warn_of_others

READY_MADE = True
FILES = {
    "file": {
        "checksum": "sha256",
        "hint": "FITYMI's authors link their arrays in the README of github.com/rohban-lab/FITYMI"
        " (Google Drive, so by hand).",
    }
}
TOY = {"folder": "pictures"}
log = logging.getLogger("nearnd")


@dataclass
class Imported:
    """Fakes (contracts.py). Give `file` or `folder`.

    file: a .npy of uint8 (K per_class, H, W, C), the images of the dataset's K training classes
    one class after the other in label order, `per_class` of each (FITYMI's released arrays: 5000
    for CIFAR-10, 2500 for CIFAR-100's 20 super-classes). A path, a link, or a name to look for in
    `mirrors`; its `sha256` is checked if given.
    folder: images, the same ones for every class, or in one folder for each class, of its name.
    fit: what becomes of those that are not square (files/picture.py); as the dataset's.
    """

    file: str | None = None
    folder: str | None = None
    per_class: int | None = None
    sha256: str | None = None
    fit: Fit = "squash"

    def __post_init__(self):
        _check(self.file, self.folder, self.per_class)

    def draw(self, n: int, *, seed: int, normal, classes: dict[str, bool]) -> tuple:
        """n images without repetition, in the size of the `normal` ones (N, H, W, C); all of them
        and a warning if there are fewer.

        classes  {class name: whether it is normal in this task} of the dataset's training images,
                 in label order
        ValueError if the array's or folder's layout is another, or it has nothing for a class.
        """
        from nearnd.files.decode import decode, resize

        _, size, _, channels = normal.shape
        if self.file:
            from nearnd.files.fetch import verify

            verify(self.file, self.sha256)
            array, there = _class_rows(self.file, self.per_class, classes, channels)
        else:
            root = Path(self.folder).expanduser()
            there = _images(root, classes)
            warn_of_others(root)
        if len(there) < n:
            log.warning(
                f"imported: {self.file or self.folder} has {len(there)} images for this task,"
                f" {n} were asked for ({n / len(normal):.3g} for each normal one); all are used"
            )
        rows = np.sort(np.random.default_rng(seed).permutation(len(there))[:n])
        if self.file:
            fakes = resize(array[there[rows]], size)  # (n, H, W, C)
        else:
            sources = [(str(there[i]), there[i]) for i in rows]
            mode = "RGB" if channels == 3 else "L"
            fakes = decode(sources, size, mode, fit=self.fit)  # (n, H, W, C)
        return fakes, {}


def inputs(file=None, folder=None, per_class=None, **rest) -> list[str]:
    """The folders that hold the images, of which every change counts; none for a file.

    Cheap: called while the workflow is planned. ValueError if the arguments cannot work.
    """
    _check(file, folder, per_class)
    if file:
        return []
    root = Path(folder).expanduser()
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise ValueError(f"folder {folder} {what}; it must be a folder of images")
    return sorted(str(at) for at, _ in walk(root))


def number(classes: dict[str, bool], file=None, folder=None, per_class=None, **rest) -> int | None:
    """How many images there are for a task; `classes` and ValueError as in `draw`.

    Cheap: called while the workflow is planned. Opens no picture, and of an array the header only;
    None for one that has yet to be fetched.
    """
    if not file:
        return len(_images(Path(folder).expanduser(), classes))
    if not Path(file).is_file():
        return None
    return len(_class_rows(file, per_class, classes, None)[1])


def _check(file, folder, per_class) -> None:
    if bool(file) == bool(folder):
        given = f"file: {file} and folder: {folder}" if file else "neither file nor folder"
        raise ValueError(f"kind imported needs either a file or a folder, the entry has {given}")
    if file and (not isinstance(per_class, int) or per_class < 1):
        raise ValueError(
            f"per_class is {per_class}; beside `file` it must say how many images of each class"
            " stand in the array (FITYMI's: 5000 for CIFAR-10, 2500 for CIFAR-100)"
        )


def _class_rows(
    file: str | Path, per_class: int, classes: dict[str, bool], channels: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The array uint8 (K per_class, H, W, C), memory-mapped, and the rows of the normal classes.

    channels  of the dataset's images; None if they are not known yet
    Block i is rows i per_class ... (i + 1) per_class - 1. Source: the loader of FITYMI's code.
    ValueError if type, channels or number of images are others.
    """
    array = load_array(file, ndim=4, dtype="uint8")
    if channels is not None and array.shape[3] != channels:
        raise ValueError(
            f"{file} holds {array.shape}, the dataset's images have {channels} channels in the last"
            f" axis; it must be (N, H, W, {channels})"
        )
    if len(array) != per_class * len(classes):
        raise ValueError(
            f"{file} holds {len(array)} images, with per_class {per_class} and the"
            f" {len(classes)} classes of the dataset it must be {per_class * len(classes)};"
            " change `file` or `per_class`"
        )
    chosen = np.flatnonzero(list(classes.values()))
    rows = chosen[:, None] * per_class + np.arange(per_class)  # (chosen, per_class)
    return array, rows.ravel()


def _images(root: Path, classes: dict[str, bool]) -> list[Path]:
    """The image files for the normal classes, in order of their paths."""
    flat, inside = parts(root)
    if flat and inside:
        raise ValueError(
            f"imported: {root} has images itself ({flat.name}, ...) and in {inside[0].name}/; put"
            " all of them in folders named after the classes, or none"
        )
    if flat:
        return sorted(pictures(root, deep=False))
    if not inside:
        raise ValueError(f"imported: {nothing(root)}")
    by_name = {folder.name: folder for folder in inside}
    wanted = [name for name, normal in classes.items() if normal]
    if absent := [name for name in wanted if name not in by_name]:
        raise ValueError(
            f"imported: {root} has no folder of images called {_some(absent)}, after the normal"
            f" class; it has {_some(list(by_name))}. Put images into {root / absent[0]} (one folder"
            " for each class, or all images without folders for all classes alike), or change"
            " `folder`"
        )
    return [file for name in wanted for file in sorted(pictures(by_name[name], deep=True))]


def _some(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


build = Imported
