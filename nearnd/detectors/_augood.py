"""AutoAugOOD: how far each hard augmentation takes normal images away, and so how often it is used.

Mirzaei et al., "Universal Novelty Detection Through Adaptive Contrastive Learning", CVPR 2024,
section 3.2: normal training images and their augmented copies in a pretrained network's features,
by t-SNE on one line, the divergence between the two distributions there, and the softmax of the
divergences. The released notebook does otherwise: test images, the plane, one direction of the
divergence, densities at points that do not belong together; and the released probabilities are not
its output. How densities are estimated is ours (`densities`), the paper does not say it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from nearnd.contracts import silent
from nearnd.detectors._trained import batched
from nearnd.jobs.device import device
from nearnd.jobs.tsne import laid_out
from nearnd.networks.backbone import features, load_backbone
from nearnd.networks.hard import HARD
from nearnd.networks.transform import View, view

POINTS = 1000  # of the line at which densities are compared
FLOOR = 1e-10  # below every density, as in the authors' notebook


def look(pixels: np.ndarray, judge: Path, names: Sequence[str], change: Callable, seed: int):
    """The divergence of each augmentation, float64 (K,): of uint8 images (N, S, S, C), in features
    of the network in the file `judge`, change(pixels, name) being the augmented copies. The network
    sees whole images."""
    net, facts = load_backbone(judge)
    net = net.to(device())
    how = View(facts["size"], facts["size"], tuple(facts["mean"]), tuple(facts["std"])).check()

    def embedded(some: np.ndarray) -> np.ndarray:
        return batched(lambda x: [features(net, view(x, how).to(device()))], some, silent)[0]

    torch.manual_seed(seed)
    copies = [embedded(change(pixels, name)) for name in names]
    return divergences(embedded(pixels), copies, seed)


def divergences(original: np.ndarray, copies: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """float64 (K,): between features (N, D) of images and of each of K augmented copies (N, D)."""
    p, *q = on_a_line([original, *copies], seed)
    at, width = points([p, *q])
    density = [densities(part, at, width) for part in (p, *q)]
    return np.array([jeffreys(density[0], other) for other in density[1:]])


def on_a_line(parts: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Features (N_i, D), all together on one axis by t-SNE: float64 (N_i,)."""
    line = laid_out(np.concatenate(parts).astype(np.float64), 1, seed)[:, 0]
    return np.split(line.astype(np.float64), np.cumsum([len(part) for part in parts])[:-1])


def points(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
    """Evenly spaced points (POINTS,) that cover numbers (N_i,), and the width of the Gaussians that
    densities are made of: Scott's rule, with the mean deviation and number of the parts."""
    n, spread = np.mean([len(part) for part in parts]), np.mean([part.std() for part in parts])
    width = max(float(spread) * n**-0.2, 1e-9)
    low, high = min(map(np.min, parts)) - 3 * width, max(map(np.max, parts)) + 3 * width
    return np.linspace(low, high, POINTS), width


def densities(x: np.ndarray, at: np.ndarray, width: float) -> np.ndarray:
    """Shares (P,) that add up to 1: a Gaussian about each number of x (N,), at points (P,)."""
    density = sum(np.exp(-(((at - one) / width) ** 2) / 2) for one in x) / len(x) + FLOOR
    return density / density.sum()


def jeffreys(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) + KL(q || p), in nats, which the paper calls Jensen-Shannon; p and q (P,) are
    positive and add up to 1."""
    return float(((p - q) * np.log(p / q)).sum())


def softmax(j: np.ndarray) -> np.ndarray:
    """Weights (K,) of divergences (K,)."""
    w = np.exp(j - j.max())
    return w / w.sum()


def unknown(names: Sequence[str]) -> list[str]:
    """Those that are none of the augmentations."""
    return [name for name in names if name not in HARD]
