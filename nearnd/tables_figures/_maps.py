"""Anomaly maps on the pixels of their images."""

import numpy as np

from nearnd.report.heat import place


def shown(source: dict, rows) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Of some images of a task ("maps" in contracts.Drawing): pixels uint8 (n, s, s, C), maps
    float32 (n, s, s) and masks uint8 (n, s, s) or None, all cut to what the detector saw."""
    pixels = centre(source["pixels"][rows], source["share"])  # (n, s, s, C)
    maps = np.stack([on_pixels(m, pixels.shape[1]) for m in source["map"][rows]])  # (n, s, s)
    masks = source["masks"]
    return pixels, maps, None if masks is None else centre(masks[rows], source["share"])


def centre(images: np.ndarray, share: float) -> np.ndarray:
    """The middle of square images (n, H, H, ...), a `share` of their side."""
    whole = images.shape[1]
    side = max(1, round(share * whole))
    first = (whole - side) // 2
    return np.asarray(images[:, first : first + side, first : first + side])


def on_pixels(small: np.ndarray, side: int) -> np.ndarray:
    """A map (h, w) on side x side pixels, float32, blurred (report/heat.py)."""
    return place(small, side, side, 1.0, "squash")
