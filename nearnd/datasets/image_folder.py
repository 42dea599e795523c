"""A user's own folder of images. Layouts, told apart by what is there:

    images only                        one class, "normal", cut at random into train and test
    <class>/...                        classes, each cut at random
    train/<class>/... test/<class>/... as they are (MVTec AD: train/good, test/good, test/crack)
    train/ (images) test/<class>/...   train/ holds the test class named normal, good or ok
    train/ (images) test/ (images)     one class, "normal"

Class folders may have folders inside. Hidden files are skipped, nothing is copied or changed.
`classes` and `inputs` are cheap: they are called while the workflow is planned.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EXTENSIONS = (
    *(".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
NORMAL = ("normal", "good", "ok")  # a test class of this name is what an unnamed train/ holds
log = logging.getLogger("nearnd")


@dataclass(frozen=True)
class ImageFolder:
    """Dataset (contracts.py)."""

    path: str
    size: int
    mode: str
    train: float
    split_seed: int

    def read(self, archives: dict[str, Path]) -> tuple[dict[str, object], list[str]]:
        import numpy as np

        from nearnd.datasets._decode import decode_parts
        from nearnd.datasets._split import stratified

        root, layout = _layout(self.path)
        names = classes(self.path)
        files, labels, splits = [], [], []
        for split, name, folder, deep in layout:
            found = sorted(_images(folder, deep))
            files += found
            labels += [names.index(name)] * len(found)
            splits += [split] * len(found)
            log.info("image_folder: %s %s: %d images", split or "train+test", name, len(found))
            if len(found) < 2 and split != "test":
                raise ValueError(
                    f"image_folder: class {name} has {len(found)} image in {folder},"
                    " it needs at least 2; add images or take the folder away"
                )
        labels, splits = np.array(labels), np.array(splits)
        if "" in splits:
            train, test = stratified(labels, self.train, self.split_seed)
        else:
            train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == "test")
        sources = [(file.relative_to(root).as_posix(), file) for file in files]
        parts = {"train": train, "test": test}
        try:
            return decode_parts(parts, sources, labels, self.size, self.mode), names
        except ValueError as error:
            raise ValueError(f"image_folder: {root}: {error}") from error


def build(
    path: str = "", size: int = 32, mode: str = "RGB", train: float = 0.8, split_seed: int = 0
) -> ImageFolder:
    """The images under `path`, uint8 (N, size, size, 3 for mode "RGB" or 1 for "L").

    `train` is the share of each class to train on where the folder has no train/ and test/.
    ids are paths relative to `path`.
    """
    if mode not in ("RGB", "L"):
        raise ValueError(f"image_folder: mode is {mode!r}, it must be RGB or L")
    return ImageFolder(path, size, mode, train, split_seed)


def classes(path: str = "", **rest) -> list[str]:
    """The class names in label order, without opening an image. ValueError as from `read`."""
    return sorted({name for _, name, _, _ in _layout(path)[1]})


def trained(path: str = "", **rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return sorted({name for split, name, _, _ in _layout(path)[1] if split != "test"})


def inputs(path: str = "", **rest) -> list[str]:
    """The folders whose time stamps change when an image is added, renamed or taken away.

    An image overwritten in place changes none of them.
    """
    root, _ = _layout(path)
    return sorted(str(folder) for folder, _ in _walk(root))


def _layout(path: str) -> tuple[Path, list[tuple[str, str, Path, bool]]]:
    """The folder, and (split or "", class, folder of its images, whether to look deeper)."""
    root = Path(path).expanduser()
    if not path:
        raise ValueError("image_folder: no folder given; set `path` in the dataset's entry")
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise ValueError(f"image_folder: path {root} {what}; it must be a folder of images")
    flat, inside = _parts(root)
    by_name = {folder.name.lower(): folder for folder in inside}
    if flat and inside:
        raise ValueError(
            f"image_folder: {root} has images itself ({flat.name}, ...) and in {inside[0].name}/;"
            " put all of them in class folders, or none"
        )
    if flat:
        return root, [("", "normal", root, False)]
    if {"train", "test"} <= set(by_name):
        ignored = [at.name for at in inside if at.name.lower() not in ("train", "test")]
        if ignored:
            log.info("image_folder: not used beside train and test: %s", ", ".join(ignored))
        return root, _given(by_name["train"], by_name["test"])
    for folder in inside:
        if {"train", "test"} <= {at.name.lower() for at in folder.iterdir()}:
            raise ValueError(
                f"image_folder: {folder} has train and test inside, so it is a dataset of its own;"
                f" set path to it instead of {root}"
            )
    if not inside:
        raise ValueError(_nothing(root))
    if len(inside) == 1 and inside[0].name.lower() in ("train", "test"):
        raise ValueError(
            f"image_folder: {root} has {inside[0].name}/ without its counterpart; set path to"
            f" {inside[0]} to have it cut at random, or add the other folder"
        )
    return root, [("", folder.name, folder, True) for folder in inside]


def _given(train: Path, test: Path) -> list[tuple[str, str, Path, bool]]:
    """The layouts with train/ and test/."""
    halves = {"train": (train, *_parts(train)), "test": (test, *_parts(test))}
    for folder, flat, inside in halves.values():
        if flat and inside:
            raise ValueError(
                f"image_folder: {folder} has images itself ({flat.name}, ...) and in"
                f" {inside[0].name}/; put all of them in class folders, or none"
            )
        if not flat and not inside:
            raise ValueError(_nothing(folder))
    (_, train_flat, train_inside), (_, test_flat, test_inside) = halves.values()
    tested = [at.name for at in test_inside]
    trained = [at.name for at in train_inside]
    if train_flat and test_flat:
        return [("train", "normal", train, False), ("test", "normal", test, False)]
    if test_flat:
        raise ValueError(
            f"image_folder: {train} has classes ({', '.join(trained)}) but {test} has none;"
            " put the test images in folders of the same names"
        )
    if train_flat:
        normal = [name for name in tested if name.lower() in NORMAL]
        if len(normal) != 1:
            raise ValueError(
                f"image_folder: {train} has images without a class, so exactly one folder of {test}"
                f" must be named {', '.join(NORMAL[:-1])} or {NORMAL[-1]} (normal images to test"
                f" on); its folders are {', '.join(tested)}"
            )
        rows = [("train", normal[0], train, False)]
    else:
        rows = [("train", folder.name, folder, True) for folder in train_inside]
        if missing := sorted(set(trained) - set(tested)):
            log.warning("image_folder: no test images of the class %s", ", ".join(missing))
    return rows + [("test", folder.name, folder, True) for folder in test_inside]


def _parts(folder: Path) -> tuple[Path | None, list[Path]]:
    """An image lying in `folder` itself, if any, and the folders in it that have images."""
    flat = min(_images(folder, deep=False), default=None)
    inside = sorted(at for at in folder.iterdir() if at.is_dir() and not _hidden(at.name))
    return flat, [at for at in inside if next(_images(at, deep=True), None)]


def _images(folder: Path, deep: bool) -> Iterator[Path]:
    for at, names in _walk(folder):
        yield from (at / name for name in names if Path(name).suffix.lower() in EXTENSIONS)
        if not deep:
            return


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """(folder, its visible files) downwards, through links, each real folder once."""

    def refuse(error: OSError):
        raise ValueError(f"image_folder: cannot look into {error.filename}: {error.strerror}")

    seen = set()
    for at, inside, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(at)
        inside[:] = [] if real in seen else sorted(name for name in inside if not _hidden(name))
        if real not in seen:
            seen.add(real)
            yield Path(at), [name for name in names if not _hidden(name)]


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _nothing(folder: Path) -> str:
    found = Counter(
        Path(name).suffix.lower() or "without extension"
        for _, names in _walk(folder)
        for name in names
    )
    counts = ", ".join(f"{n} {extension}" for extension, n in found.most_common(10))
    return (
        f"image_folder: no images in {folder} and the folders inside it."
        f" Accepted extensions, in any case: {' '.join(extension[1:] for extension in EXTENSIONS)}."
        f" Files found: {counts or 'none'}."
    )
