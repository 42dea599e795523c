"""Memory is bounded by parts of a batch, and the parts change nothing but rounding."""

import numpy as np
import pytest
import torch

from nearnd.generators import _sampling, _training
from nearnd.generators._loss import training_loss
from nearnd.generators._sde import VE, VP
from nearnd.generators.score_sde import build
from nearnd.networks.micro_batch import MicroBatch

SMALL = {
    "nf": 8,
    "channel_mult": (1, 1),
    "blocks": 1,
    "attention": (),
    "inner": "none",
    "dropout": 0.0,
    "sigma_max": 5.0,
    "batch": 8,
    "lr": 1e-3,
    "warmup": 0,
    "steps": 6,
    "snapshots": [6],
    "sampler": {"kind": "heun", "steps": 3},
}


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


def images(n=12):
    return np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize(("n", "size"), [(8, 3), (8, 8), (8, 100), (7, 2), (1, 1)])
def test_parts_are_all_images_once_none_too_large_and_of_nearly_one_length(n, size):
    parts = MicroBatch(size).parts(n)
    assert [i for part in parts for i in range(n)[part]] == list(range(n))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def memory_for(most):
    """A network call that runs out of memory with more than `most` images."""
    tried = []

    def run(real):
        def call(x, level):
            tried.append(len(x))
            if len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(x, level)

        return call

    return run, tried


@pytest.mark.parametrize("sde", [VE(), VP()])
def test_times_and_noise_are_those_of_the_whole_batch(sde):
    x = torch.rand(8, 1, 4, 4)

    def seen(parts):
        inputs = []

        def run(x, level):
            inputs.append((x.clone(), level.clone()))
            return torch.zeros_like(x)

        torch.manual_seed(0)
        loss = sum(training_loss(run, sde, x, parts=parts))
        return torch.cat([a for a, _ in inputs]), torch.cat([b for _, b in inputs]), float(loss)

    whole = seen(MicroBatch(8).parts(8))
    for size in (1, 3, 5):
        parted = seen(MicroBatch(size).parts(8))
        assert torch.equal(parted[0], whole[0])
        assert torch.equal(parted[1], whole[1])
        assert parted[2] == pytest.approx(whole[2], rel=1e-6)


def weights_after_training(folder, **options):
    from nearnd.files.arrays import load_tensors

    g = build(**SMALL | options)
    g.train(images(), seed=1, folder=folder, monitor=lambda step, file: False)
    return load_tensors(folder / "step0000006.safetensors")[0]


def test_micro_batches_train_the_same_network(tmp_path):
    whole = weights_after_training(tmp_path / "whole")
    parted = weights_after_training(tmp_path / "parted", micro_batch=3)
    assert all(np.allclose(whole[name], parted[name], atol=1e-4) for name in whole)


def test_training_goes_on_in_smaller_parts_where_memory_is_short(tmp_path, monkeypatch, caplog):
    whole = weights_after_training(tmp_path / "whole")
    limited, tried = memory_for(2)
    real = _training.in_precision
    monkeypatch.setattr(_training, "in_precision", lambda *a, **k: limited(real(*a, **k)))
    small = weights_after_training(tmp_path / "small")
    assert tried[:3] == [8, 4, 2]
    assert set(tried[3:]) == {2}  # found once, not at every step
    assert "goes on with 2 images at a time" in caplog.text
    assert all(np.allclose(whole[name], small[name], atol=1e-4) for name in whole)


def test_one_image_that_is_too_much_is_said_in_words(tmp_path, monkeypatch):
    limited, _ = memory_for(0)
    real = _training.in_precision
    monkeypatch.setattr(_training, "in_precision", lambda *a, **k: limited(real(*a, **k)))
    with pytest.raises(MemoryError, match="one image at a time: use a smaller network"):
        weights_after_training(tmp_path)


def test_sampling_goes_on_with_fewer_images_and_gives_the_same(tmp_path, monkeypatch):
    weights_after_training(tmp_path)
    file, seeds = tmp_path / "step0000006.safetensors", np.arange(7, dtype=np.uint64)
    whole = build(**SMALL).sample(file, seeds)
    limited, tried = memory_for(3)
    real = _sampling.in_precision
    monkeypatch.setattr(_sampling, "in_precision", lambda *a, **k: limited(real(*a, **k)))
    small = build(**SMALL, sample_batch=7).sample(file, seeds)
    assert tried[0] == 7
    assert np.abs(small.astype(int) - whole).max() <= 1  # other batches round otherwise


@pytest.mark.parametrize(
    ("sampler", "count"),
    [
        ({"kind": "heun", "steps": 18}, 35),  # EDM: 2 N - 1
        ({"kind": "pc", "steps": 20}, 40),  # a predictor and a corrector call for each level
        ({"kind": "pc", "steps": 20, "corrector": "none"}, 20),
    ],
)
def test_the_plan_counts_the_calls_of_the_sampler(sampler, count):
    plan = build(**SMALL | {"sampler": sampler, "sigma_max": "data"}).plan()
    assert plan == (6, [6], 8, count)


def test_the_plan_of_a_training_without_a_snapshot_is_refused():
    with pytest.raises(ValueError, match=r"snapshots is \[7\]; none is a step from 1 to steps: 6"):
        build(**SMALL | {"snapshots": [7]}).plan()
