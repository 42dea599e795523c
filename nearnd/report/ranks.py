"""Methods over several datasets or classes, compared by ranks: a point of AUROC is not worth the
same on an easy set as on a hard one.

Demšar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7, 1-30. All
take values (B, K), higher is better: B blocks (datasets or classes) of K methods. Blocks are taken
to be independent, which classes of one set, with the same images, are not quite.
"""

import math

import numpy as np
from scipy import stats

from nearnd.report.delong import ALPHA, holm

DIGITS = 12  # values that are equal but for the last bits of a mean are ties


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """(K,), 1 is best; methods that are equal in a block share its ranks."""
    return stats.rankdata(-np.round(values, DIGITS), axis=-1).mean(-2)


def friedman(values: np.ndarray) -> float:
    """p of Friedman's test that no method differs from another. ValueError for fewer than three
    methods, or one block."""
    blocks, methods = values.shape
    if methods < 3 or blocks < 2:
        raise ValueError(
            f"ranks of {methods} methods in {blocks} blocks (classes or datasets) cannot be tested:"
            " it takes three methods and two blocks"
        )
    values = np.round(values, DIGITS)
    if (values == values[:, :1]).all():
        return 1.0
    return float(stats.friedmanchisquare(*values.T).pvalue)


def signed_rank(values: np.ndarray, best: int) -> np.ndarray:
    """p (K,) of Wilcoxon's signed-rank test of each method against number `best`, two-sided, by
    Holm's method over the K - 1 tests; nan for `best` itself. Blocks where both are equal count
    for neither (Wilcoxon's own rule)."""
    difference = np.round(values[:, [best]] - values, DIGITS)  # (B, K)
    p = np.full(values.shape[1], np.nan)
    others = np.arange(len(p)) != best
    tests = [stats.wilcoxon(d).pvalue if d.any() else 1.0 for d in difference.T[others]]
    p[others] = holm(np.array(tests))
    return p


def least(blocks: int, methods: int) -> float:
    """The smallest p that `signed_rank` can give: every block won, and the other tests too."""
    return min(1.0, (methods - 1) * 2.0 ** (1 - blocks))


def critical_difference(blocks: int, methods: int, alpha: float = ALPHA) -> float:
    """How far mean ranks of two methods must lie apart (Nemenyi's test of all pairs)."""
    q = stats.studentized_range.ppf(1 - alpha, methods, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(methods * (methods + 1) / (6 * blocks)))
