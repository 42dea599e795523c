"""Grey levels of fakes as those of the normal images, so that they cannot give the fakes away."""

import numpy as np


def match_levels(fakes: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """The fakes, uint8 (n, H, W, C), with the normal images' distribution of levels per channel.

    One monotone map for the whole set (histogram matching; exact up to ties, which are broken in
    the order of the pixels): a level at quantile q among the fakes becomes the level at quantile q
    among the normal images (N, H, W, C). Shapes stay; a background that is never quite black, or a
    contrast that is never quite full, does not.
    """
    matched = np.empty_like(fakes)
    for channel in range(fakes.shape[-1]):
        values = fakes[..., channel].ravel()  # (n H W,)
        target = np.sort(normal[..., channel], axis=None)  # (N H W,)
        rank = np.empty(values.size, np.int64)
        rank[np.argsort(values, kind="stable")] = np.arange(values.size)
        new = target[rank * target.size // values.size]  # (n H W,)
        matched[..., channel] = new.reshape(fakes.shape[:-1])
    return matched
