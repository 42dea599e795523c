"""Which anomaly class is closest to the normal class, by a classifier that knows only anomalies."""

import logging
import warnings

import numpy as np

from nearnd.contracts import configured

log = logging.getLogger(__name__)


@configured
def build(
    features: np.ndarray,
    labels: np.ndarray,
    normals: list,
    /,
    c: float = 1.0,
    iterations: int = 1000,
) -> np.ndarray:
    """Closeness by a linear probe on frozen features (FITYMI section 3.3.1, "CLP").

    A logistic regression P learns the K anomaly classes from their training images, each feature
    shifted and scaled to mean 0 and deviation 1 over these images; the closeness
    of class i is the mean of P(y = i | x) over the normal class's training images x. The paper does
    not say if P is a probe or fine-tuned; a probe is the cheaper reading. No test image is read.
    `c`: inverse strength of the L2 penalty, scikit-learn's default.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    classes = int(labels.max()) + 1
    if missing := sorted(set(range(classes)) - set(np.unique(labels).tolist())):
        raise ValueError(f"the anomaly classes {missing} (by label) have no training image")
    if classes == 1:
        return np.ones((len(normals), 1))
    scaler = StandardScaler().fit(features)
    probe = LogisticRegression(C=c, max_iter=iterations)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        probe.fit(scaler.transform(features), labels)  # (N, D)
    if any(issubclass(w.category, ConvergenceWarning) for w in caught):
        log.warning("the probe was stopped after %d iterations, still improving", iterations)
    shares = [probe.predict_proba(scaler.transform(normal)).mean(axis=0) for normal in normals]
    return np.stack(shares)  # (len(normals), K)
