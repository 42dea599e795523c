"""The external sets of ODIN (Liang et al. 2018) on which classifiers of CIFAR are tested: archives
of single pictures, which the authors cropped or shrank to about 32 pixels.

Written after the names and checksums that pytorch-ood states; no archive was at hand, so that none
was read by us.
"""

from pathlib import Path

from nearnd.contracts import Images
from nearnd.datasets._archive import Archive, expect
from nearnd.files.decode import decode_splits


def external(
    kind: str, archive: Path, size: int, published: int
) -> tuple[dict[str, Images], list[str]]:
    """All pictures of an archive as test images of one class, called like the kind; uint8 (N, size,
    size, 3), sorted by name; ids are "test/<file>". One of another size is resized."""
    files = Archive(archive, r"(?:.+/)?[^/.][^/]*\.(?i:jpe?g|png)")
    found = files.matching(r"(?:.+/)?([^/]+)")
    expect(kind, "images", len(found), published)
    rows = [(f"test/{match[1]}", 0, member) for match, member in found]
    return decode_splits({"train": [], "test": rows}, size), [kind]
