"""Anomaly maps on the pixels of their images."""

import numpy as np

SIGMA, OF = 4.0, 224  # PatchCore's blur in pixels, of images so wide


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


def on_pixels(small: np.ndarray, side: int, sigma: float = SIGMA) -> np.ndarray:
    """A map (h, w) on side x side pixels, float32: bilinear, then a Gaussian blur of `sigma`, which
    is in pixels of an image that is 224 wide (PatchCore)."""
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    picture = Image.fromarray(np.ascontiguousarray(small, np.float32))
    large = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))  # (side, side)
    return gaussian_filter(large, sigma * side / OF)
