"""A user's own folder of images. Layouts, told apart by what is there:

    images only                        one class, "normal", cut at random into train and test
    <class>/...                        classes, each cut at random
    train/<class>/... test/<class>/... as they are (MVTec AD: train/good, test/good, test/crack)
    train/ (images) test/<class>/...   train/ holds the test class named normal, good or ok
    train/ (images) test/ (images)     one class, "normal"

Class folders may have folders inside. With train/ and test/ there may be masks of the anomalies in
ground_truth/ (_masks.py). Hidden files are skipped, nothing is copied or changed.
`classes` and `inputs` are cheap: they are called while the workflow is planned.
"""

import logging
import re
from pathlib import Path
from typing import Literal

from nearnd.contracts import Fit
from nearnd.datasets._masks import FOLDER
from nearnd.datasets._reader import Reader
from nearnd.files.image_folders import distinct, nothing, parts, pictures, walk, warn_of_others

ACCESS = "your own"
NORMAL = ("normal", "good", "ok")  # a test class of this name is what an unnamed train/ holds
RANGES = {"bits": (8, 16)}
SPARE = 0.05  # the share of files that may be unreadable
log = logging.getLogger("nearnd")


def build(
    path: str = "",
    size: int = 32,
    mode: Literal["RGB", "L"] = "RGB",
    train: float = 0.8,
    split_seed: int = 0,
    fit: Fit = "squash",
    bits: int = 16,
    group: str = "",
) -> Reader:
    """The images under `path`, uint8 (N, size, size, 3 for mode "RGB" or 1 for "L").

    fit: what becomes of pictures that are not square. squash: all of it is kept, its proportions
    are lost; crop: the middle, as large a square as there is; pad: all of it, black beside it.
    bits: of the grey values in 16-bit files; 12 for what many cameras deliver.
    Files that cannot be read are left out and named in a warning: among thousands of an own folder
    there is a broken one. More than SPARE of them is an error, as something else is wrong.
    group: what must not be torn apart by the cut, such as the pictures of one burst or one object:
    "folder" for those of one folder, or a regular expression: files with the same match in their
    path (of its first part in brackets, if any) belong together.
    `train` is the share of each class to train on where the folder has no train/ and test/; 0: all
    images are tested, as a set beside another dataset (an experiment's `tests`).
    ids are paths relative to `path`. Masks of the test images are uint8 (N, size, size).
    """
    _groups([], group)

    def read(archives):
        import numpy as np

        from nearnd.contracts import Images
        from nearnd.datasets._masks import masks
        from nearnd.datasets._split import grouped, stratified
        from nearnd.files.arrays import scratch
        from nearnd.files.decode import decode_masks, decode_parts

        root, layout = _layout(path)
        names = classes(path)
        warn_of_others(root)
        files, labels, splits = [], [], []
        for split, name, folder, deep in layout:
            found = sorted(pictures(folder, deep))
            files += found
            labels += [names.index(name)] * len(found)
            splits += [split] * len(found)
            log.info("image_folder: %s %s: %d images", split or "train+test", name, len(found))
            if len(found) < 2 and split != "test" and train > 0:
                raise ValueError(
                    f"image_folder: class {name} has {len(found)} image in {folder},"
                    " it needs at least 2; add images or take the folder away"
                )
        labels, splits = np.array(labels), np.array(splits)
        if "" in splits and train == 0:
            first, rest = np.arange(0), np.arange(len(labels))
        elif "" in splits and group:
            paths = [file.relative_to(root) for file in files]
            first, rest = grouped(labels, _groups(paths, group), train, split_seed)
        elif "" in splits:
            first, rest = stratified(labels, train, split_seed)
        else:
            first, rest = (np.flatnonzero(splits == split) for split in ("train", "test"))
        sources = [(file.relative_to(root).as_posix(), file) for file in files]
        marked = None
        try:
            if "" not in splits:
                normal = [names.index(name) for name in trained(path)]
                bad = [label not in normal for label in labels[rest]]
                marked = masks(root, [files[i] for i in rest], bad)
            images = decode_parts(
                {"train": first, "test": rest}, sources, labels, size, mode,
                spare=SPARE, fit=fit, bits=bits,
            )  # fmt: skip
            if marked:
                there = set(images["test"].ids)
                kept = [row for row, i in enumerate(rest) if sources[i][0] in there]
                marked = [marked[row] for row in kept]
                of = np.repeat(np.arange(len(kept)), [len(each) for each in marked])
                each = [file for some in marked for file in some]
                drawn = decode_masks(
                    [(str(file), file) for file in each], size, fit,
                    images=[files[rest[kept[i]]] for i in of],
                )  # fmt: skip
                whole = scratch((len(kept), size, size))
                for i, mask in zip(of, drawn, strict=True):  # several of an image
                    np.maximum(whole[i], mask, out=whole[i])
                images["test"] = Images(*images["test"][:3], whole)
                log.info("image_folder: %d masks", len(each))
        except ValueError as error:
            raise ValueError(f"image_folder: {root}: {error}") from error
        return images, names

    return Reader(read)


def classes(path: str = "", **rest) -> list[str]:
    """The class names in label order, without opening an image. ValueError as from `read`."""
    return sorted({name for _, name, _, _ in _layout(path)[1]})


def trained(path: str = "", train: float = 0.8, **rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    without = ("test",) if train else ("test", "")
    return sorted({name for split, name, _, _ in _layout(path)[1] if split not in without})


def counted(path: str = "", train: float = 0.8, **rest) -> dict[str, dict[str, int]]:
    """How many files of each class there are by split, under "" where they are cut."""
    found: dict[str, dict[str, int]] = {}
    for split, name, folder, deep in _layout(path)[1]:
        of = found.setdefault(name, {})
        of[split] = of.get(split, 0) + sum(1 for _ in pictures(folder, deep))
    return found


def inputs(path: str = "", **rest) -> list[str]:
    """The folders that hold the images: a change of a file in them makes the images again."""
    root, layout = _layout(path)
    drawn = [at for at in parts(root)[1] if at.name.lower() == FOLDER and layout[0][0]]
    read = [(folder, deep) for _, _, folder, deep in layout] + [(folder, True) for folder in drawn]
    return sorted(
        {str(at) for folder, deep in read for at, _ in walk(folder) if deep or at == folder}
    )


def _groups(paths: list[Path], group: str) -> list[str]:
    """For each path the name of the group that it belongs to."""
    if group == "folder":
        return [path.parent.as_posix() for path in paths]
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ValueError(
            f"image_folder: group is {group!r}, it may be folder or a regular expression: {error}"
        ) from error
    found = [pattern.search(path.as_posix()) for path in paths]
    return [
        path.as_posix() if match is None else f"/{match[1 if match.re.groups else 0]}"
        for path, match in zip(paths, found, strict=True)
    ]


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
    if flat:
        return root, [("", "normal", root, False)]
    if {"train", "test"} <= set(by_name):
        used = ("train", "test", "ground_truth")
        ignored = [at.name for at in inside if at.name.lower() not in used]
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
        raise ValueError(f"image_folder: {nothing(root)}")
    if len(inside) == 1 and inside[0].name.lower() in ("train", "test"):
        raise ValueError(
            f"image_folder: {root} has {inside[0].name}/ without its counterpart; set path to"
            f" {inside[0]} to have it cut at random, or add the other folder"
        )
    return root, [("", folder.name, folder, True) for folder in inside]


def _parts(folder: Path) -> tuple[Path | None, list[Path]]:
    """`parts` of a folder; ValueError if it has images itself and in folders."""
    flat, inside = parts(folder)
    if flat and inside:
        raise ValueError(
            f"image_folder: {folder} has images itself ({flat.name}, ...) and in {inside[0].name}/;"
            " put all of them in class folders, or none"
        )
    return flat, inside


def _given(train: Path, test: Path) -> list[tuple[str, str, Path, bool]]:
    """The layouts with train/ and test/."""
    (train_flat, train_inside), (test_flat, test_inside) = _parts(train), _parts(test)
    for folder, flat, inside in ((train, train_flat, train_inside), (test, test_flat, test_inside)):
        if not flat and not inside:
            raise ValueError(f"image_folder: {nothing(folder)}")
    tested = [at.name for at in test_inside]
    trained = [at.name for at in train_inside]
    distinct(tested + trained, train.parent)
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
