"""The detector's own verdict as score: no bank, no neighbours."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import matrix

READS = ["logit"]
BANK = False


def build(feature: str = "logit") -> Score:
    """score(x) = the number that the detector gives x, higher for more anomalous images.

    For FITYMI the logit of fake minus that of real, in place of k-NN: it ranks as the head's
    probability does, but does not end at 1, where float32 ties begin. `feature` names an array (N,)
    or (N, 1) of the embedding.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        x = matrix(queries, feature, "query")  # (N, 1)
        if x.shape[1] != 1:
            raise ValueError(
                f"a head score takes one number per image, {feature!r} has {x.shape[1]}: set"
                " `feature` in the config's scores"
            )
        return x[:, 0].astype(np.float32)  # (N,)

    return score


def graph(bank: Embedding, *, feature: str, **rest):
    """See contracts.py."""
    return lambda arrays: {"score": arrays[feature].flatten()}  # (n,)
