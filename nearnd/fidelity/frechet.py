"""Fréchet distance: how far two feature clouds differ in mean and covariance."""

import numpy as np

LABEL = "Fréchet distance"
UNIT = "squared feature units"
DISTANCE = True
SINGULAR = True


class Frechet:
    """Fidelity (contracts.py): the squared Fréchet distance between Gaussians fitted to the
    features ("FID" if these are Inception's), in squared feature units, 0 = same mean and
    covariance.

    Estimated from N images it is too high, the more so the smaller N: compare values of equal N
    only. Heusel et al. (2017), eq. 6.
    """

    def __call__(self, real: np.ndarray, fake: np.ndarray) -> float:
        """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of features (N, D) and (M, D), in float64.

        With S = R'R, tr (S1 S2)^(1/2) is the sum of the singular values of R1 R2': no matrix root,
        no squared condition number, and cheap if there are fewer images than features.
        """
        n, m = len(real), len(fake)
        if min(n, m) < 2:
            raise ValueError(
                f"a Fréchet distance needs two images or more, not {n} real and {m} fake"
            )
        m1, r1 = _mean_and_root(real)
        m2, r2 = _mean_and_root(fake)
        trace = np.square(r1).sum() + np.square(r2).sum()
        cross = np.linalg.svd(r1 @ r2.T, compute_uv=False).sum()
        return float(max(0.0, np.square(m1 - m2).sum() + trace - 2 * cross))

    def remark(self, n: int, m: int, d: int) -> str:
        """What to think of the distance of n real and m fake images with d features each."""
        if min(n, m) > d:
            return ""
        return (
            f"{n} real and {m} fake images for {d} features, so the covariance is singular and the"
            " distance far too high: it orders the snapshots of this run, no more"
        )


def _mean_and_root(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (D,) and a matrix R with R'R = the unbiased covariance."""
    x = np.asarray(features, np.float64)  # (N, D)
    mean = x.mean(axis=0)  # (D,)
    x = (x - mean) / np.sqrt(len(x) - 1)  # (N, D)
    return mean, np.linalg.qr(x, mode="r") if len(x) > x.shape[1] else x


build = Frechet
