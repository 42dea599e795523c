"""What the frozen part of a network gives for random views of images: computed once, and kept.

Each image is seen in so many views, one an epoch, and then in the same ones again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nearnd.detectors._trained import Given
from nearnd.files.arrays import load_array, release, replacing
from nearnd.jobs.training_loop import step_seed

CHUNK = 32  # images at once
KEPT = torch.float16  # it holds numbers up to 65504, with three digits
MOST = 32e9  # bytes on the disk
LATE = 1 << 40  # the training's own steps are seeded with lower numbers


class Views:
    """float16 arrays (n, ...), one for each view: in files of the job's folder, where a job that
    goes on finds those that are whole, or in memory if it has none.

    first(rows) gives the outputs (b, ...) for random views of the images with these numbers, drawn
    from torch's global generator.
    """

    def __init__(self, first: Callable[[np.ndarray], Tensor], n: int, views: int, given: Given):
        self.n, self.arrays = n, []
        for v in range(views):
            parts = _parts(first, n, v, views, given)
            if given.folder is None:
                self.arrays.append(np.concatenate(list(parts)))
                continue
            file = Path(given.folder) / f"view{v}.npy"
            if not file.exists():
                _write(file, n, parts)
            self.arrays.append(load_array(file, dtype="float16"))

    def of(self, rows: np.ndarray, step: int) -> Tensor:
        """The outputs float32 (b, ...) of a step's images, each in the view of its epoch."""
        epochs = (step * len(rows) + np.arange(len(rows))) // self.n
        which = epochs % len(self.arrays)
        found = np.stack([self.arrays[v][row] for v, row in zip(which, rows, strict=True)])
        for array in self.arrays:
            release(array)
        h = torch.from_numpy(found).float()  # (b, ...)
        return h.contiguous(memory_format=torch.channels_last) if h.ndim == 4 else h


@torch.no_grad()
def _parts(first: Callable, n: int, v: int, views: int, given: Given) -> Iterator[np.ndarray]:
    """View number v of all images, some at a time."""
    for i in range(0, n, CHUNK):
        rows = np.arange(i, min(i + CHUNK, n))
        torch.manual_seed(step_seed(given.seed, LATE + v * n + i))
        part = first(rows).to(KEPT).cpu().contiguous().numpy()  # (b, ...)
        if (whole := part[0].nbytes * n * views) > MOST:
            raise ValueError(
                f"views is {views}: of {n} images that is {whole / 1e9:.0f} GB, more than"
                f" {MOST / 1e9:.0f}; set fewer `views` in the detector's entry, or null"
            )
        if not np.isfinite(part).all():
            raise FloatingPointError(
                "the frozen part of the network gives numbers that are too large for float16: set"
                " `views: null` in the detector's entry"
            )
        yield part
        given.progress(v * n + rows[-1] + 1, views * n)


def _write(file: Path, n: int, parts: Iterator[np.ndarray]) -> None:
    """A .npy file of n rows."""
    with replacing(file) as unfinished, open(unfinished, "wb") as out:
        for part in parts:
            if not out.tell():
                header = {"descr": part.dtype.str, "fortran_order": False}
                np.lib.format.write_array_header_1_0(out, header | {"shape": (n, *part.shape[1:])})
            out.write(part)
