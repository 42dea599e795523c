"""One-class support vector machine (Schölkopf et al. 2001) with a Gaussian kernel."""

import logging
from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, pair
from nearnd.scores._shallow import check_pca, prepared

READS = ["features"]
log = logging.getLogger("nearnd")


def build(
    nu: float = 0.1,  # Deep-SAD's and GT's code; an upper bound of the share of rejected images
    gamma: float | Literal["scale"] = "scale",  # the papers choose it with test anomalies
    limit: int = 5000,  # GT's code; the time grows with its square
    standardise: bool = False,
    pca: float | int | None = None,
    feature: str = "features",
) -> Score:
    """score(x) = -log sum_i alpha_i exp(-gamma |x - b_i|^2) over the support vectors b_i.

    This is a falling function of the decision value sum_i alpha_i k(x, b_i) - rho, so it ranks as
    that does, but images far away, where the decision value is -rho to the last digit, keep
    their order. gamma "scale" is 1 / (D var(bank)). The published results take the best of gamma
    2^-7..2^2 by test AUROC; here nothing reads anomalies. Of a bank of more than `limit` images a
    random choice of that many is used. `standardise`, `pca`: see _shallow.prepared.
    """
    if not 0 < nu <= 1:
        raise ValueError(f"nu is {nu!r}; a one_class_svm score takes a share above 0, at most 1")
    check_pca(pca)

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import logsumexp
        from sklearn.metrics.pairwise import euclidean_distances
        from sklearn.svm import OneClassSVM

        b, x = pair(bank, queries, feature)
        if len(b) > limit:
            log.info(f"one_class_svm: fitted to {limit} of the bank's {len(b)} images")
            b = b[np.sort(np.random.default_rng(seed).choice(len(b), limit, replace=False))]
        b, same = prepared(b, standardise, pca, seed)  # (M, P)
        width = gamma if gamma != "scale" else 1 / (b.shape[1] * b.var() or 1.0)
        svm = OneClassSVM(kernel="rbf", nu=nu, gamma=width, cache_size=500).fit(b)
        vectors, alpha = svm.support_vectors_, svm.dual_coef_[0]  # (S, P), (S,)

        def minus_log_sum(x: np.ndarray) -> np.ndarray:
            squared = euclidean_distances(same(x), vectors, squared=True)  # (n, S)
            return -logsumexp(-width * squared, axis=1, b=alpha)  # (n,)

        wide = 4 * max(len(vectors), x.shape[1])
        return in_chunks(minus_log_sum, x, wide)  # (N,)

    return score
