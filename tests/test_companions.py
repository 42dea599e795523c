"""NLN's older companions: GANomaly, MemAE and AnoGAN."""

import numpy as np
import pytest
import torch
from stripes import stripes as pictures
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images, score_of
from nearnd.detectors import anogan, ganomaly, mem_ae
from nearnd.networks.memory import Memory, entropy_of, largest

SHORT = {"width": 8, "code": 4, "batch": 16, "lr": 3e-3}
READ = {  # kind: training, and the array that is its score
    ganomaly: ({"epochs": 30}, "apart"),
    mem_ae: ({"epochs": 40, "items": 20, "shrink": 0.01}, None),
    anogan: ({"epochs": 60, "search": 60, "rate": 0.05}, "loss"),
}


def fitted(kind, pixels, **options):
    detector = kind.build(**SHORT | options)
    images = Images(pixels, np.zeros(len(pixels), int), np.arange(len(pixels)).astype(str))
    detector.fit(images, outliers=None, backbone=None, seed=0, folder=None)
    return detector


def auroc(low, high):
    return (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.__name__.rpartition(".")[2])
def test_stripes_at_another_angle_are_found(kind):
    options, name = READ[kind]
    detector = fitted(kind, pictures(60, 0), **options)
    same, other = (detector.embed(p) for p in (pictures(40, 1), pictures(40, 2, angle=np.pi / 2)))
    pixels = plugins.build("scores", {"kind": "highest", "share": 1.0})
    assert auroc(score_of(pixels({}, same)), score_of(pixels({}, other))) > 0.9
    if name:
        own = plugins.build("scores", {"kind": "head", "feature": name})
        assert auroc(own({}, same), own({}, other)) > 0.9


def test_codes_are_rebuilt_of_the_items_that_they_are_like():
    torch.manual_seed(0)
    memory, z = Memory(6, 3, 0.0), torch.randn(5, 3)
    cosine = F.cosine_similarity(z[:, None], memory.items[None], dim=2)  # (5, 6)
    mixture, w = memory(z)
    torch.testing.assert_close(w, cosine.softmax(1))
    torch.testing.assert_close(mixture, cosine.softmax(1) @ memory.items)
    memory.shrink = float(w.detach().sort(1).values[:, -2].max())  # no more than one is left of any
    _, few = memory(z)
    kept = few[few.sum(1) > 0]
    assert len(kept)
    assert ((few > 0).sum(1) <= 1).all()
    torch.testing.assert_close(kept.sum(1), torch.ones(len(kept)))


def test_any_number_of_items_leaves_weights_above_their_share():
    for items in (2, 100, 2000):
        memory = Memory(items, 32, mem_ae.build(items=items).shrink)
        _, w = memory(torch.randn(8, 32))
        torch.testing.assert_close(w.sum(1), torch.ones(8))
        assert 0 < (w > 0).float().mean() < 1
    aligned = Memory(3, 1, 0.0)
    aligned.items.data = torch.tensor([[1.0], [-1.0], [-1.0]])
    assert float(aligned(torch.ones(1, 1))[1].detach().max()) == pytest.approx(largest(3))
    with pytest.raises(ValueError, match=r"shrink is 0.1; it may be below 0.0695, .* of 100 items"):
        mem_ae.build(items=100, shrink=0.1)


def test_the_entropy_of_weights_is_that_of_equal_ones_at_most():
    assert entropy_of(torch.full((2, 8), 1 / 8)) == pytest.approx(np.log(8), rel=1e-5)
    assert entropy_of(torch.eye(8)) == pytest.approx(0, abs=1e-5)


def test_the_search_comes_nearer_with_every_step_and_finds_what_the_generator_draws():
    detector = fitted(anogan, pictures(40, 0), epochs=5, rate=0.05)
    with torch.no_grad():
        drawn = detector.net.eval().draw(
            torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
        )
    pixels = (255 * drawn.movedim(1, -1)).round().to(torch.uint8).numpy()
    losses = []
    for steps in (1, 20, 100):
        detector.facts["search"] = steps
        losses.append(detector.embed(pixels)["loss"].mean())
    assert losses[0] > losses[1] > losses[2]
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    assert losses[2] < 0.5 * detector.embed(noise)["loss"].mean()
