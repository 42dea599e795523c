"""What is in a folder of images, before anything is trained on it."""

import math
from collections import Counter
from pathlib import Path

import numpy as np

from nearnd import catalog, plugins
from nearnd.files.decode import look_each
from nearnd.files.image_folders import nothing, pictures, unread
from nearnd.files.picture import Found
from nearnd.jobs.duplicates import repeats
from nearnd.jobs.neighbours import nearest
from nearnd.plan.enough import enough, held
from nearnd.plan.start import BASE
from nearnd.report.conformal import Decision, steps

SIDE = 32  # pixels in which images are compared
COARSE = 8  # pixels in which they are told apart
LISTED = 5  # files that a line names
FEWEST = 10  # images, below which nothing is called odd
ODD = 4.0  # times the usual distance to the next image
MOST = 4000  # images that are compared with each other
UNREADABLE = "NOT readable as a dataset"
FEW = "TOO FEW for fit"
APART = 0.65  # silhouette from which on images fall into two groups; evenly spread ones have 0.5


def check(folder: Path) -> list[str]:
    """Lines for the terminal. ValueError in one sentence if nothing can be read."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder of images")
    files = sorted(pictures(folder, True))
    if not files:
        raise ValueError(nothing(folder))
    names = [file.relative_to(folder).as_posix() for file in files]
    pixels, found = look_each(list(zip(names, files, strict=True)), SIDE, "RGB")
    good = np.flatnonzero([isinstance(one, Found) for one in found])
    bad = [f"{names[i]} ({found[i]})" for i in range(len(files)) if isinstance(found[i], str)]
    lines = [f"{len(files)} images in {folder}"]
    lines += _layout(folder, names, len(good))
    if left := unread(folder):
        lines.append(f"left out, as their names are not those of images: {left}")
    if bad:
        lines.append(f"cannot be read: {len(bad)}: {_some(bad)}")
    if not len(good):
        return lines
    lines += _sizes([found[i] for i in good])
    lines += _odd([names[i] for i in good], pixels[good])
    return lines


def _layout(folder: Path, names: list[str], n: int) -> list[str]:
    """How the workflow reads it: classes, what can be normal, how many of n images are held out."""
    entry = catalog.load(BASE / "config" / "own.yaml")["datasets"]["own"]
    entry = entry | {"path": str(folder)}
    try:
        classes = plugins.call("datasets", entry, "classes")
        trained = plugins.call("datasets", entry, "trained")
        counts = plugins.call("datasets", entry, "counted")
    except ValueError as error:
        return [f"{UNREADABLE}: {str(error).removeprefix(entry['kind'] + ': ')}"]
    tops = Counter("/".join(name.split("/")[:-1]) or "." for name in names)
    lines = [f"  {n:6d}  {top}" for top, n in sorted(tops.items())[:20]]
    if len(tops) > 20:
        lines.append(f"  and {len(tops) - 20} more folders")
    lines.append(f"classes: {', '.join(classes)}; may be normal: {', '.join(trained)}")
    try:
        if len(trained) == 1:
            enough(folder, counts[trained[0]])
    except ValueError as error:
        return [*lines, f"{FEW}: {error}"]
    if (
        n
        and len(classes) == 1
        and not {"train", "test"} <= {name.split("/")[0].lower() for name in names}
    ):
        out = held(n)
        lines.append(
            f"four fifths are learnt from and {out} held out, so no p-value is below"
            f" {steps(out)[0]:.2g}: {1000 * steps(out)[0]:.3g} false alarms in 1,000 is the least"
            " that can be asked for"
        )
        if 1000 * steps(out)[0] > (usual := Decision().alpha):
            least = math.ceil(1000 * steps(out)[0] - 1e-9)
            lines.append(f"so the usual {usual:g} call no image anomalous: --alpha {least} or more")
    return lines


def _sizes(found: list[Found]) -> list[str]:
    wide, high = (np.array([one[axis] for one in found]) for axis in (1, 2))
    modes = ", ".join(f"{n} {mode}" for mode, n in Counter(one.mode for one in found).most_common())
    lines = [
        f"pixels: {wide.min()} to {wide.max()} wide, {high.min()} to {high.max()} high; {modes}"
    ]
    oblong = np.maximum(wide, high) / np.minimum(wide, high)
    if oblong.max() > 1.2:
        lines.append(
            f"{(oblong > 1.2).sum()} are not square (up to {oblong.max():.1f} to 1): squashed,"
            " unless --fit crop (their middle) or --fit pad (black beside) is said"
        )
    if min(wide.min(), high.min()) < 64:
        lines.append(
            "some are smaller than 64 pixels: a network of photographs sees little in them"
        )
    return lines


def _odd(names: list[str], pixels: np.ndarray) -> list[str]:
    """Copies, images of one colour, images unlike all others, two groups. pixels (N, s, s, 3)."""
    lines = []
    first = [(i, j) for i, j in repeats(pixels, pixels) if i != j]  # j is a copy of i
    if first:
        lines.append(
            f"copies: {len(first)}: {_some([f'{names[j]} of {names[i]}' for i, j in first])}"
        )
    plain = np.flatnonzero((pixels.std(axis=(1, 2)) < 1).all(axis=1))
    if len(plain):
        lines.append(f"of one colour: {len(plain)}: {_some([names[i] for i in plain])}")
    if len(pixels) < FEWEST:
        return lines
    rows = np.setdiff1d(np.arange(len(pixels)), [j for _, j in first])[:MOST]
    blocks = pixels[rows].reshape(len(rows), COARSE, SIDE // COARSE, COARSE, SIDE // COARSE, 3)
    x = blocks.mean(axis=(2, 4)).reshape(len(rows), -1).astype(np.float32)  # (n, 192)
    if len(x) < FEWEST:
        return lines
    distance = np.sqrt(nearest(x, x, 3)[0][:, 2])  # (n,) to the second other one
    usual = np.median(distance)
    odd = np.argsort(-distance)[: int((distance > ODD * max(usual, 1)).sum())]
    if len(odd):
        lines.append(f"unlike all others: {len(odd)}: {_some([names[rows[i]] for i in odd])}")
    return lines + _groups([names[i] for i in rows], x)


def _groups(names: list[str], x: np.ndarray) -> list[str]:
    """A line if the images (N, D) fall into two groups: somebody may have mixed two kinds."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    label = KMeans(2, n_init=4, random_state=0).fit_predict(x)
    sizes = np.bincount(label, minlength=2)
    if sizes.min() < 3 or silhouette_score(x, label) < APART:
        return []
    few = np.flatnonzero(label == sizes.argmin())
    return [
        f"they fall into two groups, of {sizes.max()} and {sizes.min()}: is the smaller one"
        f" ({_some([names[i] for i in few])}) normal too?"
    ]


def _some(words: list[str]) -> str:
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return ", ".join(words[:LISTED]) + more
