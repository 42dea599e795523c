"""Features laid out by t-SNE (van der Maaten and Hinton 2008), the same whatever the threads."""

import numpy as np

PERPLEXITY = 30  # of a neighbourhood, scikit-learn's default


def laid_out(features: np.ndarray, dimensions: int, seed: int = 0) -> np.ndarray:
    """(N, dimensions) of features (N, D), N > 1. Features that are all the same stay at one place:
    scikit-learn would start from NaN, and crash."""
    if (features == features[0]).all():
        return np.zeros((len(features), dimensions), features.dtype)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(PERPLEXITY, max(1, (len(features) - 1) / 3))
    with threadpool_limits(1):  # its sums are in another order with other threads
        how = {"perplexity": perplexity, "init": "pca", "random_state": seed % 2**32}
        return TSNE(dimensions, **how).fit_transform(features)
