"""A few rows that cover all of them: greedy k-centre, as PatchCore's official code thins its bank.

Roth et al. (2022), "Towards Total Recall in Industrial Anomaly Detection", section 3.2. A step is
one pass over the projected rows, so that its time is that of reading them: M x 128 floats.
"""

import numpy as np
import torch
from torch import Tensor

from nearnd.contracts import Progress, silent
from nearnd.jobs.device import device

CHUNK = 1 << 26  # bytes of rows that are projected at a time
SAID = 100  # steps between two calls of `progress`


def share_of(m: int, share: float) -> int:
    """How many of m rows a share in (0, 1] is, rounded down as in the official code, at least 1."""
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, it must be above 0 and at most 1")
    return max(1, int(m * share))


def coreset(
    rows: np.ndarray,
    n: int,
    *,
    seed: int,
    projection: int | None = 128,
    anchors: int = 10,
    progress: Progress = silent,
) -> np.ndarray:
    """The indices int64 (n,) of n different rows of (M, D), in the order in which they were picked.

    Each is the row farthest from those picked before it. Distances are taken after a random linear
    map to `projection` dimensions (None, or where there are no more: the rows themselves). They
    start as the mean distance to `anchors` random rows, which stays an upper bound; with 0 anchors
    the first row is picked first, and without projection the farthest row is at most twice as far
    from the picked ones as for the best n rows (Gonzalez 1985). The same seed gives the same rows
    on the same machine. ValueError if n is not in 1..M or a number is not finite.
    """
    if not 1 <= n <= len(rows):
        raise ValueError(
            f"a coreset of {n} of {len(rows)} rows: it must have at least 1, at most all"
        )
    random = torch.Generator().manual_seed(seed)
    x = _projected(rows, projection, random)  # (M, d)
    norm = torch.linalg.vector_norm(x, dim=1).square_()  # (M,)
    least = torch.full_like(norm, torch.inf)  # squared distance to the nearest picked row
    if anchors:
        at = torch.randperm(len(x), generator=random)[:anchors].tolist()
        distances = [_squared(x, norm, x[i : i + 1]).clamp_(min=0).sqrt_() for i in at]
        least = torch.stack(distances).mean(0).square_()  # (M,)
        del distances
    picked = torch.empty(n, dtype=torch.int64, device=x.device)
    new = torch.empty_like(norm)
    for step in range(n):  # nothing here waits for a GPU
        i = least.argmax().view(1)
        picked[step] = i[0]
        _squared(x, norm, x.index_select(0, i), out=new)
        torch.minimum(least, new, out=least)
        least.index_fill_(0, i, -torch.inf)  # whatever rounding says, no row twice
        if (step + 1) % SAID == 0:
            progress(step + 1, n)
    return picked.cpu().numpy()


def _projected(rows: np.ndarray, d: int | None, random: torch.Generator) -> Tensor:
    """float32 (M, d) on this job's device, centred, which makes cancellation smaller."""
    m, wide = rows.shape
    narrow = d is not None and d < wide
    if narrow:  # the weights with which PyTorch begins a linear layer, as in the official code
        w = (2 * torch.rand(wide, d, generator=random) - 1).div_(wide**0.5).to(device())  # (D, d)
    x = torch.empty(m, d if narrow else wide, device=device())
    step = max(1, CHUNK // (4 * wide))
    for i in range(0, m, step):
        part = torch.from_numpy(np.array(rows[i : i + step], np.float32)).to(x.device)  # (n, D)
        x[i : i + step] = part @ w if narrow else part  # (n, d)
    if bad := int((~x.isfinite().all(1)).sum()):
        raise ValueError(f"{bad} of {m} rows are not finite; see the log of the job they come from")
    return x.sub_(x.mean(0))


def _squared(x: Tensor, norm: Tensor, row: Tensor, out: Tensor | None = None) -> Tensor:
    """|x|^2 - 2 x.row + |row|^2 (M,), one pass over x."""
    out = torch.addmv(norm, x, row[0], alpha=-2, out=out)  # (M,)
    return out.add_(row.square().sum())
