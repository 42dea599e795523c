"""The residual of a PCA of patch features, and the mean of the highest places of a map."""

import time

import numpy as np
import pytest
import torch

from nearnd import plugins
from nearnd.detectors._patches import rows
from nearnd.detectors.patch_subspace import Moments, Outside, outside


def rows_in(subspace, n, seed=0, mean=0.0):
    """float32 (n, D) in the span of the rows of (K, D), moved by `mean`."""
    inside = np.random.default_rng(seed).normal(size=(n, len(subspace))) @ subspace
    return torch.from_numpy((inside + mean).astype(np.float32))


def fitted(x, widths=None, variance=0.99):
    moments = Moments()
    moments.add(x)
    directions = outside(moments.covariance(), widths or [x.shape[1]], variance)
    return Outside(torch.nn.Identity(), moments.mean().float(), directions.float())


SUBSPACE = np.random.default_rng(9).normal(size=(3, 8))
OFF = np.linalg.svd(SUBSPACE)[2][3:]  # (5, 8), orthogonal to it


def test_patches_of_the_subspace_have_no_residual_and_others_the_square_of_what_is_off():
    x = rows_in(SUBSPACE, 500, mean=4.0)
    net, new = fitted(x, variance=0.999999), rows_in(SUBSPACE, 50, 1, mean=4.0)
    assert net.directions.shape == (8, 5)
    unit = float(x.double().var(0, correction=0).sum())  # the total variance is scaled to 1
    assert net.residual(new).max() < 1e-9
    off = 3 * torch.from_numpy(OFF[1]).float()
    assert net.residual(new + off) * unit == pytest.approx(torch.full((50,), 9.0), rel=1e-4)


def test_moments_take_no_longer_in_more_threads_than_there_are_cores():
    """Threads of MKL wait for each other in float64 without a pause: 400 times as long on two."""
    x, took, before = torch.randn(4096, 384), [], torch.get_num_threads()
    for threads in (1, 4):
        torch.set_num_threads(threads)
        began = time.process_time()
        Moments().add(x)
        took.append(time.process_time() - began)
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert took[1] < 20 * took[0] + 0.2


def test_a_rotation_of_the_features_changes_nothing():
    x = rows_in(np.random.default_rng(1).normal(size=(8, 8)), 300)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q
    new = rows_in(np.eye(8), 40, 2)
    plain, turned = fitted(x, variance=0.8), fitted(x @ turn, variance=0.8)
    assert turned.residual(new @ turn).tolist() == pytest.approx(
        plain.residual(new).tolist(), rel=1e-4
    )


def test_a_layer_in_other_units_counts_the_same():
    x, new = rows_in(np.eye(8), 300), rows_in(np.eye(8), 40, 2)
    units = torch.tensor([1.0] * 5 + [1000.0] * 3)
    plain, other = (fitted(x * u, [5, 3], 0.9).residual(new * u) for u in (units**0, units))
    assert other.tolist() == pytest.approx(plain.tolist(), rel=1e-4)


@pytest.mark.parametrize("variance", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_what_is_left_out_holds_the_share_asked_for(variance):
    x = rows_in(np.diag(2.0 ** -np.arange(8)), 1000)
    k = fitted(x, variance=variance).directions.shape[1]
    values = np.linalg.eigvalsh(np.cov(x.numpy().T))
    beside = np.cumsum(values) / values.sum()  # of the 1, 2, ... smallest
    assert k == max(1, int((beside <= 1 - variance + 1e-12).sum()))


def test_moments_in_parts_are_those_of_the_whole_also_far_from_zero():
    x = rows_in(np.random.default_rng(1).normal(size=(6, 6)), 200) + 1e4
    moments = Moments()
    for part in x.split(17):
        moments.add(part)
    assert moments.mean().numpy() == pytest.approx(x.double().mean(0).numpy(), rel=1e-12)
    whole = np.cov(x.double().numpy().T, bias=True)
    assert moments.covariance().numpy() == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_patches_without_any_variance_have_their_distance():
    net = fitted(torch.ones(10, 4))
    assert net.residual(torch.ones(1, 4)).item() == 0
    assert torch.isfinite(net.residual(torch.zeros(1, 4))).all()


def test_coarser_maps_are_brought_to_the_grid_of_the_first():
    fine, coarse = torch.rand(2, 3, 4, 4), torch.arange(8.0).reshape(2, 1, 2, 2)
    found = rows([fine, coarse])
    assert found.shape == (2, 4, 4, 4)
    assert (found[..., :3] == fine.movedim(1, -1)).all()
    assert found[:, 0, 0, 3].tolist() == [0, 4]  # a corner
    assert found[..., 3].mean((1, 2)).tolist() == pytest.approx([1.5, 5.5])


# ---- score ----


@pytest.mark.parametrize(("share", "score"), [(0.0, 11), (0.1, 11), (0.25, 10), (1.0, 5.5)])
def test_the_highest_share_of_a_map(share, score):
    maps = np.random.default_rng(0).permutation(12).reshape(1, 3, 4).astype(np.float32)
    found = plugins.build("scores", {"kind": "highest", "share": share})({}, {"map": maps})
    assert found["score"].tolist() == [score]
    assert found["map"] is maps


def test_a_map_that_is_not_finite_is_refused():
    maps = np.zeros((2, 3, 4), np.float32)
    maps[1, 2, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 2 maps are not finite"):
        plugins.build("scores", {"kind": "highest", "share": 0.5})({}, {"map": maps})
