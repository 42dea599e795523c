"""The score SDE as a generator: what it keeps, what an image depends on, and a kill in between."""

import numpy as np
import pytest
import torch

from nearnd import plugins
from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.generators._data import largest_distance, to_float, to_uint8
from nearnd.generators._noise import ImageNoise
from nearnd.generators.score_sde import build

SMALL = {
    "nf": 16,
    "channel_mult": (1, 1),
    "blocks": 1,
    "attention": (4,),
    "inner": "none",
    "sigma_max": "data",
    "batch": 8,
    "lr": 2e-3,
    "warmup": 5,
    "steps": 40,
    "snapshots": [20, 40],
    "sampler": {"kind": "heun", "steps": 5},
}
HERE = torch.device("cpu")


def blobs(n=30, size=8, channels=1):
    """Bright squares at random places: images with a structure to learn."""
    rng = np.random.default_rng(0)
    x = np.zeros((n, size, size, channels), np.uint8)
    for image in x:
        i, j = rng.integers(0, size - 4, 2)
        image[i : i + 4, j : j + 4] = rng.integers(150, 255)
    return x


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """The last one of a short training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEARND_DEVICE", "cpu")
        folder, files = tmp_path_factory.mktemp("generator"), []
        build(**SMALL).train(
            blobs(), seed=3, folder=folder, monitor=lambda step, file: files.append(file)
        )
    return files[-1]


def test_a_snapshot_says_what_it_is(snapshot):
    _, facts = load_tensors(snapshot)
    assert facts["network"]["size"] == 8
    assert facts["network"]["channels"] == 1
    assert facts["step"] == 40
    assert facts["process"] == {
        "sigma_min": 0.01,
        "sigma_max": pytest.approx(largest_distance(blobs())),
    }  # no num_scales: continuous


@pytest.mark.parametrize(
    "sampler",
    [
        {"kind": "pc", "steps": 8},
        {"kind": "pc", "steps": 8, "predictor": "ancestral", "corrector": "none"},
        {"kind": "heun", "steps": 6, "churn": 2.0},
        {"kind": "dpm_solver", "steps": 6, "eta": 1.0},
        {"kind": "ode", "tolerance": 1e-2},
    ],
    ids=str,
)
def test_the_bytes_of_an_image_do_not_depend_on_its_batch(snapshot, sampler):
    seeds = np.arange(5, dtype=np.uint64)
    whole, calls = build(sampler=sampler).sample_counted(snapshot, seeds)
    parts, counted = build(sampler=sampler, sample_batch=2).sample_counted(snapshot, seeds)
    assert np.array_equal(whole, parts)
    if sampler["kind"] != "ode":  # whose pilot is drawn again for each batch
        assert counted == calls


def test_another_seed_gives_another_network(snapshot, tmp_path):
    build(**SMALL).train(blobs(), seed=4, folder=tmp_path, monitor=lambda s, f: None)
    assert (tmp_path / snapshot.name).read_bytes() != snapshot.read_bytes()


@pytest.mark.parametrize("kind", ["ve", "vp", "subvp", "smld", "ddpm", "likelihood"])
def test_training_brings_samples_nearer_to_the_data(tmp_path, kind):
    real = blobs(64)
    distances = []
    sde = {"smld": "ve", "ddpm": "vp", "likelihood": "vp"}.get(kind, kind)
    special = {"sde": sde, "likelihood": kind == "likelihood"}
    if sde != "ve":
        special |= {"sigma_max": 50.0, "fir": False}
    if kind in ("smld", "ddpm"):
        special |= {"continuous": False, "num_scales": 200}
    better = {"lr": 5e-3, "batch": 16, "sampler": {"kind": "heun", "steps": 12, "churn": 5.0}}
    g = build(**SMALL | better | special | {"steps": 80, "snapshots": [1, 80]})

    def monitor(step, file):
        fake = g.sample(file, np.arange(16))
        a, b = (x.reshape(len(x), -1) / 255 for x in (real, fake))
        distances.append(np.linalg.norm(a[None] - b[:, None], axis=2).min(1).mean())

    g.train(real, seed=0, folder=tmp_path, monitor=monitor)
    assert distances[1] < 0.7 * distances[0]
    # the header is enough: this entry knows of no SDE
    file = tmp_path / "step0000080.safetensors"
    other = build(sampler=better["sampler"])
    assert np.array_equal(other.sample(file, np.arange(3)), g.sample(file, np.arange(3)))


def test_bytes_come_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    for centered in (False, True):
        assert np.array_equal(to_uint8(to_float(pixels, HERE, centered), centered), pixels)
    x = torch.tensor([-0.2, 0.4999 / 255, 0.5001 / 255, 1.7]).view(1, 1, 2, 2)
    assert to_uint8(x, False).ravel().tolist() == [0, 0, 1, 255]


def test_largest_distance_of_black_and_white():
    pixels = np.zeros((5, 4, 4, 3), np.uint8)
    pixels[3] = 255
    assert largest_distance(pixels) == pytest.approx(np.sqrt(48))


def test_noise_is_standard_normal_and_belongs_to_the_seed():
    draw = ImageNoise(np.arange(50), (1, 32, 32), HERE)
    first, second = draw(), draw()
    alone = ImageNoise(np.array([7]), (1, 32, 32), HERE)
    assert torch.equal(alone()[0], first[7])
    assert torch.equal(alone()[0], second[7])
    assert float(first.mean()) == pytest.approx(0, abs=0.02)
    assert float(first.std()) == pytest.approx(1, abs=0.02)
    assert abs(float((first * second).mean())) < 0.02
    assert abs(float((first[:-1] * first[1:]).mean())) < 0.02


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            {"sampler": {"kind": "euler"}},
            "unknown kind 'euler'; there is dpm_solver, heun, ",
        ),
        ({"continuous": False, "sampler": {"kind": "ode"}}, "goes with continuous: true"),
        ({"continuous": False, "sde": "subvp"}, "sde: subvp is defined with continuous: true only"),
        ({"continuous": False, "likelihood": True}, "likelihood: true is defined with continuous"),
        ({"num_scales": 500}, "num_scales is 500, which is for continuous: false"),
        ({"network": {"nf": 8}}, "nf stand beside network"),
        ({"sde": "smld"}, "sde is 'smld'; it may be ve or vp or subvp"),
        ({"sigma_max": "auto"}, "sigma_max is 'auto'"),
        ({"precision": "fp16"}, "precision is 'fp16'"),
    ],
)
def test_unknown_settings_are_named(option, words):
    with pytest.raises(ValueError, match=words):
        plugins.check_entry("generators", "", {"kind": "score_sde", **option})
        build(**option)


@pytest.mark.parametrize(("sde", "calls"), [("ve", 2000), ("vp", 1000), ("subvp", 1000)])
def test_the_published_sampler_is_that_of_the_sde(sde, calls):
    """1,000 steps, with a corrector for VE alone."""
    assert build(sde=sde).plan().calls == calls


def test_oblong_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="square"):
        build(**SMALL).train(
            np.zeros((4, 8, 6, 1), np.uint8), seed=0, folder=tmp_path, monitor=lambda s, f: None
        )


def test_other_files_are_not_snapshots(tmp_path):
    save_tensors(tmp_path / "a.safetensors", {"x": np.zeros(3)})
    with pytest.raises(ValueError, match="not a snapshot"):
        build().sample(tmp_path / "a.safetensors", np.arange(2))
