"""How typical a network's answers about transformed images are: GT's score.

Golan and El-Yaniv 2018: for each transformation t a Dirichlet distribution is fitted to the
probabilities that the network gives of normal training images after t, by maximum likelihood
(Minka, "Estimating a Dirichlet distribution", 2000).
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import BUDGET, in_chunks, pair

READS = ["log_p"]
EXACT = 1e-16  # of the mean log-likelihood
LARGEST = 1e10  # sum alpha; far above, float64 cannot tell sum alpha from the largest alpha
ROUNDS, HALVINGS = 200, 60  # at most


def build(feature: str = "log_p") -> Score:
    """score(x) = minus the mean over t of sum_k (alpha_tk - 1) log p_tk(x), of log p (N, T, K).

    The logarithm of the density but for a constant of each t, which the authors leave out too. They
    stop their fixed-point iteration after 1,000 rounds; Newton's goes to the maximum. ValueError if
    p is no distribution over K, or the same for all training images.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)  # (M, T K), (N, T K)
        shape = bank[feature].shape[1:]
        total = np.exp(b[:1].astype(np.float64).reshape(-1, shape[-1])).sum(axis=1)
        if len(shape) != 2 or not np.allclose(total, 1, atol=1e-3):
            raise ValueError(
                f"{feature!r} has shape {bank[feature].shape}; a dirichlet score reads log p (N, T,"
                " K), of K answers that exclude each other: take `right_answer` for others"
            )
        log_p, p, differ = (row.reshape(shape) for row in _means(b))
        if not differ.any(axis=1).all():
            raise ValueError(
                f"the network answers alike for all of {len(b)} normal training images, so that no"
                " Dirichlet distribution is the most likely one: take more of them, or look at the"
                " log of the detector's training"
            )
        alpha = most_likely(log_p, p)  # (T, K)
        weight = (1 - alpha).reshape(-1) / len(alpha)
        return in_chunks(lambda some: some @ weight, x, x.shape[1])  # (N,)

    return score


def _means(b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a bank of log p (M, D): the means of log p and of p, and whether there are two values."""
    n = max(1, BUDGET // (8 * b.shape[1]))
    log_p, p, differ = np.zeros((3, b.shape[1]))
    for i in range(0, len(b), n):
        some = b[i : i + n].astype(np.float64)
        log_p += some.sum(axis=0)
        p += np.exp(some).sum(axis=0)
        differ += (some != b[0]).any(axis=0)
    return log_p / len(b), p / len(b), differ > 0


def most_likely(log_p: np.ndarray, p: np.ndarray) -> np.ndarray:
    """alpha (T, K) of the T Dirichlet distributions under which samples with these means of log p
    and p, (T, K), are most likely: psi(alpha_k) - psi(sum alpha) = mean log p_k.

    The log-likelihood is concave, and its matrix of second derivatives is a diagonal one and a
    constant, so a Newton step costs no more than K. A step that would leave alpha > 0, or lower the
    likelihood, is halved. Where sum alpha becomes LARGEST, of answers almost alike, it ends there.
    """
    from scipy.special import polygamma, psi

    alpha = np.maximum(_start(log_p, p), 1e-3)
    for _ in range(5):  # Minka's fixed point, which goes far from anywhere
        alpha = _inverse_psi(psi(alpha.sum(axis=1, keepdims=True)) + log_p)
    rounding = 1e-14 * (1 + np.abs(log_p).sum(axis=1, keepdims=True))  # of likelihoods, about
    for _ in range(ROUNDS):
        total = alpha.sum(axis=1, keepdims=True)  # (T, 1)
        gradient = psi(total) - psi(alpha) + log_p  # (T, K)
        q, z = polygamma(1, alpha), polygamma(1, total)
        shared = (gradient / q).sum(axis=1, keepdims=True) / (1 / z - (1 / q).sum(1, keepdims=True))
        step = (gradient + shared) / q  # (T, K)
        gain = (gradient * step).sum(axis=1, keepdims=True)  # (T, 1), twice what is left to gain
        todo = (gain > EXACT) & (total < LARGEST)
        if not todo.any():
            break
        size = np.where(todo, 1.0, 0.0)
        least = _likelihood(alpha, log_p) - rounding * (1 + total * np.log1p(total))
        for _ in range(HALVINGS):
            new = alpha + size * step
            inside = (new > 0).all(axis=1, keepdims=True)
            good = inside & (_likelihood(np.where(inside, new, alpha), log_p) >= least)
            if good.all():
                break
            size = np.where(good, size, size / 2)
        alpha = np.where(good, new, alpha)
    return alpha


def _likelihood(alpha: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """Mean log-density (T, 1) of samples with this mean of log p."""
    from scipy.special import gammaln

    each = ((alpha - 1) * log_p - gammaln(alpha)).sum(axis=1, keepdims=True)
    return gammaln(alpha.sum(axis=1, keepdims=True)) + each


def _start(log_p: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The authors' first alpha: mean p, times (K - 1) gamma / sum_k p_k (log p_k - mean log p_k),
    gamma Euler's constant."""
    from scipy.special import xlogy

    apart = (xlogy(p, p) - p * log_p).sum(axis=1, keepdims=True)  # at least 0 (Jensen)
    return p * (p.shape[1] - 1) * np.euler_gamma / np.maximum(apart, 1e-9)


def _inverse_psi(y: np.ndarray) -> np.ndarray:
    """x > 0 with psi(x) = y, by Newton's method from Minka's start."""
    from scipy.special import polygamma, psi

    x = np.where(y >= -2.22, np.exp(np.minimum(y, 30.0)) + 0.5, -1 / (np.minimum(y, -2.0) - psi(1)))
    for _ in range(6):
        x -= (psi(x) - y) / polygamma(1, x)
    return x
