"""How alike the nearest image of a bank is, by what a contrastive network compares."""

import numpy as np

from nearnd.scores._features import BUDGET, in_chunks


def alike(b: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """sum_k max_m z_k(x) . z_k(m) / |z_k(m)| / C_k, float64 (N,), with C_k the mean of |z_k(m)|, of
    the projections b (M, K d) of a bank and x (N, K d), each image in K shifts."""
    b = b.reshape(len(b), k, -1).astype(np.float64)  # (M, K, d)
    length = np.linalg.norm(b, axis=2)  # (M, K)
    weighted = b / length.clip(1e-12)[:, :, None] / length.mean(0).clip(1e-12)[:, None]
    return in_chunks(lambda q: _nearest(weighted, q), x, x.shape[1], np.float64)


def _nearest(b: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The sum over K of the largest product of each row of q (n, K d) with one of b (M, K, d)."""
    q, total = q.reshape(len(q), *b.shape[1:]), np.zeros(len(q))
    rows = max(1, BUDGET // (8 * len(q)))
    for k in range(b.shape[1]):
        parts = [q[:, k] @ b[i : i + rows, k].T for i in range(0, len(b), rows)]  # (n, rows)
        total += np.max([part.max(1) for part in parts], axis=0)
    return total
