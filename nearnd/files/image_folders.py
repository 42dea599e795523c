"""The image files below a folder; needs nothing but the standard library."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

EXTENSIONS = (
    *(".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)


def pictures(folder: Path, deep: bool) -> Iterator[Path]:
    """The images in `folder`, and in the folders inside it if `deep`; hidden ones are skipped."""
    for at, names in walk(folder):
        yield from (at / name for name in names if Path(name).suffix.lower() in EXTENSIONS)
        if not deep:
            return


def parts(folder: Path) -> tuple[Path | None, list[Path]]:
    """An image lying in `folder` itself, if any, and the folders in it that have images."""
    flat = min(pictures(folder, deep=False), default=None)
    inside = sorted(at for at in folder.iterdir() if at.is_dir() and not _hidden(at.name))
    return flat, [at for at in inside if next(pictures(at, deep=True), None)]


def walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """(folder, its visible files) downwards, through links, each real folder once."""

    def refuse(error: OSError):
        raise ValueError(f"cannot look into the folder {error.filename}: {error.strerror}")

    seen = set()
    for at, inside, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(at)
        inside[:] = [] if real in seen else sorted(name for name in inside if not _hidden(name))
        if real not in seen:
            seen.add(real)
            yield Path(at), [name for name in names if not _hidden(name)]


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def unread(folder: Path) -> str:
    """How many visible files there are in and below a folder that are taken for no images."""
    found = Counter(
        Path(name).suffix.lower() or "without extension"
        for _, names in walk(folder)
        for name in names
        if Path(name).suffix.lower() not in EXTENSIONS
    )
    return ", ".join(f"{n} {extension}" for extension, n in found.most_common(10))


def nothing(folder: Path) -> str:
    """The sentence for a folder without images."""
    return (
        f"no images in {folder} and the folders inside it."
        f" Accepted extensions, in any case: {' '.join(extension[1:] for extension in EXTENSIONS)}."
        f" Files found: {unread(folder) or 'none'}."
    )
