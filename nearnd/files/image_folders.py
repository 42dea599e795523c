"""The image files below a folder; needs nothing but the standard library."""

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

EXTENSIONS = (
    *(".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
ACCEPTED = " ".join(extension[1:] for extension in EXTENSIONS)
SYSTEM = ("__MACOSX", "Thumbs.db", "desktop.ini")  # not the user's, as names with a dot in front
log = logging.getLogger("nearnd")


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
    found = [at for at in inside if next(pictures(at, deep=True), None)]
    distinct([at.name for at in found], folder)
    return flat, found


def distinct(names: list[str], folder: Path) -> None:
    """ValueError for two names that differ in case only: one of them is a slip, or lost on a system
    that does not tell them apart."""
    seen: dict[str, str] = {}
    for name in sorted(set(names)):
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise ValueError(
                f"{folder} has folders {other} and {name}, which differ in case only; rename one,"
                " or put their images together"
            )


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


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8: another one can be opened, but not written into a table."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def unread(folder: Path) -> str:
    """How many visible files there are in and below a folder that are taken for no images."""
    found = Counter(
        Path(name).suffix.lower() or "without extension"
        for _, names in walk(folder)
        for name in names
        if Path(name).suffix.lower() not in EXTENSIONS
    )
    more = f", {len(found) - 10} other extensions" if len(found) > 10 else ""
    return ", ".join(f"{n} {extension}" for extension, n in found.most_common(10)) + more


def warn_of_others(folder: Path) -> None:
    """One line on the files below a folder that are left out."""
    if found := unread(folder):
        log.warning(
            f"{folder}: not read, as their names are not those of images: {found}. Accepted"
            f" extensions, in any case: {ACCEPTED}; convert what should be read"
        )


def nothing(folder: Path) -> str:
    """The sentence for a folder without images."""
    return (
        f"no images in {folder} and the folders inside it."
        f" Accepted extensions, in any case: {ACCEPTED}."
        f" Files found: {unread(folder) or 'none'}."
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM
