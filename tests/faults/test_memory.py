"""A GPU whose memory does not suffice: fewer images at a time, the same result; else a sentence."""

import numpy as np
import pytest
import torch
from _stages import IMAGES, STAGES, results, run

from nearnd.detectors import _trained, binary
from nearnd.files.tables import load_images
from nearnd.networks.backbone import Classifier, Features


class RunsOut:
    """Networks run out of memory with more than `most` images."""

    def __init__(self, most):
        self.most = most

    def __call__(self):
        for kind in (Classifier, Features):
            kind.forward = self.limited(kind.forward)

    def limited(self, real):
        def forward(net, x):
            if len(x) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return real(net, x)

        return forward


@pytest.fixture
def task(toy, monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")
    for kind in (Classifier, Features):
        monkeypatch.setattr(kind, "forward", kind.forward)  # put back at the end
    images = load_images(toy.folder / IMAGES[0])
    outliers = 255 - np.asarray(images.pixels[::2])
    return images, outliers, toy.folder / STAGES["detector"]["input"]["backbone"]


def trained(task) -> binary.Binary:
    images, outliers, backbone = task
    detector = binary.build(epochs=2, dropout=0.0, lr=0.05)
    detector.fit(images, outliers=outliers, backbone=backbone, seed=3, folder=None)
    return detector


@pytest.mark.parametrize("most", [7, 1])
def test_a_detector_is_trained_in_smaller_parts_to_the_same_weights(task, most):
    whole = trained(task)
    RunsOut(most)()
    small = trained(task)
    pairs = list(zip(whole.net.state_dict().values(), small.net.state_dict().values(), strict=True))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_images_are_embedded_in_smaller_parts_to_the_same_features(task, monkeypatch):
    detector, pixels = trained(task), task[0].pixels
    whole, real, tried = detector.embed(pixels)["features"], _trained.features, []

    def features(net, x):
        tried.append(len(x))
        if len(x) > 9:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(net, x)

    monkeypatch.setattr(_trained, "features", features)
    steps = []
    small = detector.embed(pixels, progress=lambda step, total, **_: steps.append(step))
    assert np.allclose(whole, small["features"], atol=1e-5)
    assert tried[:4] == [64, 32, 16, 8]
    assert set(tried[4:]) == {8}
    assert steps[-1] == len(pixels)


def test_no_image_fits(task):
    RunsOut(0)()
    with pytest.raises(MemoryError, match="one image at a time: use a smaller network"):
        trained(task)


def test_a_job_without_a_way_back_ends_in_a_sentence(toy, tmp_path):
    folder = toy.copy(tmp_path / "toy")
    code, said = run(folder, "backbone", RunsOut(3))
    assert code == 1
    assert "Traceback" not in said
    assert "memory does not suffice for a batch at step 0: lower batch" in said.splitlines()[-1]
    assert run(folder, "backbone")[0] == 0
    assert results(folder, "backbone") == toy.made["backbone"]
