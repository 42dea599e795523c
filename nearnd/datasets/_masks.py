"""Masks beside an own folder's test images, as MVTec AD has them.

The mask of test/crack/007.png is ground_truth/crack/007_mask.png or ground_truth/crack/007.png, of
any image format, or all images in a folder ground_truth/crack/007/ (MVTec LOCO): what any of them
marks. Black and transparent are normal, everything else is anomalous (files/mask.py).
"""

import logging
from pathlib import Path

from nearnd.files.image_folders import parts, pictures

FOLDER = "ground_truth"
log = logging.getLogger("nearnd")


def masks(root: Path, images: list[Path], anomalous: list[bool]) -> list[list[Path]] | None:
    """The masks of images below root/test; None for all if the folder has no ground_truth.

    A normal image needs none. ValueError naming the first anomalous image without a mask.
    """
    folder = next((at for at in parts(root)[1] if at.name.lower() == FOLDER), None)
    if folder is None:
        return None
    parts(folder)  # folders of one name
    drawn: dict[str, Path] = {}
    for file in sorted(pictures(folder, deep=True)):
        other = drawn.setdefault(_key(file.relative_to(folder)), file)
        if other != file:
            raise ValueError(f"{other} and {file} are masks of one image; take one away")
    keys = [_key(Path(*file.relative_to(root).parts[1:])) for file in images]
    there: dict[str, list[Path]] = {key: [] for key in keys}
    lost = []
    for key, file in drawn.items():
        own = there.get(key, there.get(key.rpartition("/")[0], lost))  # else one of its folder
        own.append(file)
    if lost:
        log.warning(f"image_folder: {len(lost)} masks without an image, the first is {lost[0]}")
    found = [there[key] for key in keys]
    missing = [
        file for file, mask, bad in zip(images, found, anomalous, strict=True) if bad and not mask
    ]
    if missing:
        raise ValueError(
            f"{len(missing)} anomalous test images have no mask in {folder}, the first is"
            f" {missing[0].relative_to(root)}; add them, or rename {folder.name} to do without"
        )
    return found


def _key(path: Path) -> str:
    return path.with_suffix("").as_posix().removesuffix("_mask")
