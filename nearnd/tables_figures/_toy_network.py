"""A small network on points of a plane, trained with one of RETH's two losses. NumPy alone: figures
load no torch."""

import itertools
from collections.abc import Callable

import numpy as np

HIDDEN, OUTPUT, RATE, DECAY = 64, 64, 0.003, 0.0005


def train(
    normal: np.ndarray, outliers: np.ndarray, loss: str, steps: int, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """A function of points (N, 2) that gives their score (N,), higher = more anomalous.

    Two hidden layers (ReLU, so that the output grows away from all points), Adam on all points at
    once with weight decay; both groups count half. loss "bce": the output is a logit. "hsc": the
    output o is a vector, h = sqrt(|o|^2 + 1) - 1 is the score, and the loss is h of normal points
    and -log(1 - exp(-h)) of outliers (RETH, section 3).
    """
    rng = np.random.default_rng(seed)
    widths = [2, HIDDEN, HIDDEN, 1 if loss == "bce" else OUTPUT]
    layers = [
        [rng.normal(0, np.sqrt(2 / rows), (rows, columns)), np.zeros(columns)]
        for rows, columns in itertools.pairwise(widths)
    ]
    x = np.concatenate([normal, outliers])  # (N, 2)
    y = np.arange(len(x)) >= len(normal)
    share = 0.5 * np.where(y, 1 / len(outliers), 1 / len(normal))[:, None]  # (N, 1)
    moments = [[[np.zeros_like(a), np.zeros_like(a)] for a in layer] for layer in layers]
    for step in range(1, steps + 1):
        values = _forward(layers, x)
        back = share * _slope(values[-1], y, loss)  # (N, out)
        for i in (2, 1, 0):
            gradients = [values[i].T @ back + DECAY * layers[i][0], back.sum(0)]
            back = (back @ layers[i][0].T) * (values[i] > 0)  # before the weights move
            for j, gradient in enumerate(gradients):
                layers[i][j] = layers[i][j] - _adam(moments[i][j], gradient, step)
    return lambda points: _score(_forward(layers, points)[-1], loss)


def _forward(layers: list, x: np.ndarray) -> list[np.ndarray]:
    """The input, both hidden layers and the output."""
    values = [x]
    for i, (weights, bias) in enumerate(layers):
        z = values[-1] @ weights + bias
        values.append(np.maximum(z, 0) if i < len(layers) - 1 else z)
    return values


def _score(output: np.ndarray, loss: str) -> np.ndarray:
    return output[:, 0] if loss == "bce" else np.sqrt((output**2).sum(1) + 1) - 1


def _slope(output: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    """The derivative of each point's loss by the output."""
    if loss == "bce":
        return 1 / (1 + np.exp(-output)) - y[:, None]
    h = _score(output, loss)[:, None]  # (N, 1)
    outwards = np.where(y[:, None], -1 / np.expm1(np.maximum(h, 1e-6)), 1.0)  # of the loss by h
    return outwards * output / (h + 1)


def _adam(moments: list[np.ndarray], gradient: np.ndarray, step: int) -> np.ndarray:
    """The step against a gradient (Kingma & Ba, 2015)."""
    moments[0] = 0.9 * moments[0] + 0.1 * gradient
    moments[1] = 0.999 * moments[1] + 0.001 * gradient**2
    mean, square = moments[0] / (1 - 0.9**step), moments[1] / (1 - 0.999**step)
    return RATE * mean / (np.sqrt(square) + 1e-8)
