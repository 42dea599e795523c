"""Which anomaly class is near each normal class for any method: CLP, FITYMI section 3.3.1."""

import numpy as np
import pandas as pd

from nearnd.contracts import Closeness, Progress, silent


def closeness_table(
    closeness: Closeness,
    features: np.ndarray,
    classes: np.ndarray,
    other_features: np.ndarray,
    other_classes: np.ndarray,
    own: bool,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Rows normal, anomaly, closeness for every pair of classes.

    features (N, D), classes (N,)  training images of the dataset, whose classes are the normals
    other_*                        training images of the anomaly classes
    own                            both are the same set: a class is not its own anomaly
    """
    rows, normals = [], sorted(set(classes))
    groups = [[normal] for normal in normals] if own else [normals]  # a classifier for each
    for step, group in enumerate(groups):
        use = other_classes != group[0] if own else np.ones(len(other_classes), bool)
        names, labels = np.unique(other_classes[use], return_inverse=True)
        mine = [features[classes == normal] for normal in group]
        close = closeness(other_features[use], labels, mine)  # (len(group), K)
        for normal, shares in zip(group, close, strict=True):
            rows += [(normal, name, c) for name, c in zip(names, shares, strict=True)]
        progress(step + 1, len(groups))
    return pd.DataFrame(rows, columns=["normal", "anomaly", "closeness"])
