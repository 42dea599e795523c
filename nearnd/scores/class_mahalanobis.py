"""Mahalanobis distance to the nearest class mean, with one covariance for all classes.

Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
Attacks", NeurIPS 2018, on one layer: their input noise and their weighted sum over layers are tuned
on anomalies, which nothing here does.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.neighbours import nearest
from nearnd.scores._covariance import whitening
from nearnd.scores._features import in_chunks, pair

READS = ["features"]


def build(feature: str = "features") -> Score:
    """score(x) = min_c (h - mu_c)' S^-1 (h - mu_c), squared and not halved.

    mu_c: mean of the bank's features of class c ("label"); S: covariance about the class means,
    divided by the number of rows. In directions in which the bank does not vary, as behind units
    that are always 0, the inverse is 0 (pseudo-inverse, as in the authors' code). `feature` names
    the array (N, D); more axes are flattened. ValueError for features that are not finite, or that
    vary within no class.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        h, x = pair(bank, queries, feature)  # (M, D), (N, D)
        classes, label = np.unique(bank["label"], return_inverse=True)  # (K,), (M,)
        centre = h.mean(axis=0, dtype=np.float64)  # (D,) means far from 0 would cost digits
        mu = np.stack([(h[label == c] - centre).mean(axis=0) for c in range(len(classes))])
        scatter = np.zeros((h.shape[1], h.shape[1]))
        for c, m in enumerate(mu):
            rest = h[label == c] - centre - m  # (n, D)
            scatter += rest.T @ rest  # (D, D)
        w = whitening(scatter / len(h))  # (D, rank)
        means = mu @ w  # (K, rank)
        return in_chunks(lambda q: nearest(means, (q - centre) @ w, 1)[0][:, 0], x, x.shape[1])

    return score
