"""Transformaly: how unlikely an image is in a ViT's features and in its students' errors."""

from collections.abc import Sequence

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, pair

READS = ["features", "errors"]
PARTS = ("agnostic", "tuned")
IMAGES_PER_COMPONENT = 5  # fewer do not determine a covariance; our choice, not the authors'


def build(
    parts: Sequence[str] = PARTS,
    variance: float = 0.9,  # authors' code
    first: int = 2,  # authors' code: ten of twelve blocks
    scaled: bool = True,
) -> Score:
    """score(x) = -(log N(features) + log N(errors)), Gaussians fitted to the bank.

    "agnostic": features (N, D), whitened by as many principal components as come before the one
    at which their share of the variance passes `variance`, so that it stays below (as in the
    authors' code), but one for five bank images at most. "tuned": errors (N, blocks) of the
    blocks from the index `first` on. If `scaled`, by the bank's deviation, which adds a constant to
    the score and makes scikit-learn's 1e-6 on the covariance's diagonal mean the same for all
    networks; the authors leave errors as they are, so that it damps blocks whose errors are
    small, and ranks differ. `parts`: one of both, or both. ValueError for a bank of fewer than two
    images or a network of no more than `first` blocks.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"parts is {parts!r}; transformaly takes one or both of {list(PARTS)}")
    if not 0 < variance < 1:
        raise ValueError(f"variance is {variance}; transformaly takes a share between 0 and 1")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        total = np.zeros(len(next(iter(queries.values()))))  # (N,)
        if "agnostic" in parts:
            b, x = _two(*pair(bank, queries, "features"))
            total -= _log_likelihood(b, x, _whitening(b, variance))
        if "tuned" in parts:
            b, x = _two(*pair(bank, queries, "errors"))
            if b.shape[1] <= first:
                raise ValueError(
                    f"first is {first}, but the network has {b.shape[1]} blocks: choose a smaller"
                    " one in the config's scores"
                )
            std = b[:, first:].std(axis=0)  # (blocks - first,)
            std[(std == 0) | (not scaled)] = 1
            total -= _log_likelihood(b, x, lambda x: x[:, first:] / std)
        return total.astype(np.float32)

    return score


def _two(b: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(b) < 2:
        raise ValueError(
            f"the bank has {len(b)} image; a Gaussian needs at least two normal training images"
        )
    return np.asarray(b, np.float64), x


def _whitening(b: np.ndarray, variance: float):
    """The function that gives a bank's leading whitened components."""
    from sklearn.decomposition import PCA

    if (b == b[0]).all():
        raise ValueError(
            "the bank's features do not vary: are all normal training images the same?"
        )
    pca = PCA(svd_solver="full").fit(b)
    below = int((pca.explained_variance_ratio_.cumsum() <= variance).sum())
    keep = max(1, min(below, len(b) // IMAGES_PER_COMPONENT))
    w = pca.components_[:keep].T / np.sqrt(pca.explained_variance_[:keep])  # (D, keep)
    return lambda x: (x - pca.mean_) @ w  # (n, keep)


def _log_likelihood(b: np.ndarray, x: np.ndarray, prepared) -> np.ndarray:
    """log N(prepared(x)) (N,) of one Gaussian with full covariance, fitted to prepared(b)."""
    from sklearn.mixture import GaussianMixture

    normal = GaussianMixture(n_components=1, random_state=0).fit(prepared(b))
    return in_chunks(lambda q: normal.score_samples(prepared(q)), x, x.shape[1])
