"""Fakes and networks that somebody else made, as a user runs them."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file
from test_checkpoint import official
from toy import ROOT, copy_of_the_repository, planned, run

from nearnd import catalog, plugins
from nearnd.generators._reference import slots
from nearnd.networks.unet import UNet
from nearnd.plan import missing
from nearnd.plan.check import check
from nearnd.plan.run import Run

FIRST = ["--", "results/fakes/digits/3/authors/seed0.npy"]
TARGETS = ["--", "results/tables/toy/fakes.csv"]  # from the fakes of all three
GRID = "results/figures/toy/sample_grid.png"
NETWORK = {"nf": 16, "channel_mult": [1, 1], "blocks": 1, "attention": [], "sigma_max": 8.0}
FAKES = {
    "authors": {"kind": "imported", "file": "released.npy", "per_class": 30},
    "mine": {"kind": "imported", "folder": "pictures", "ratio": 0.1},
    "theirs": {
        "kind": "sampled",
        "generator": "theirs",
        "stop": {"factor": 5},
        "measure": "frechet",
        "ratio": 0.2,
    },
}
THEIRS = {
    "kind": "checkpoint",
    "monitor": "raw",
    "weights": "net.pth",
    "model": NETWORK | {"kind": "score_sde", "sampler": {"kind": "heun", "steps": 3}},
}


def configured(folder, name="toy.yaml", **changes):
    """A config in which three methods differ in where their fakes come from."""
    config = {
        "run": ["toy"], "device": "cpu", "fakes": FAKES, "generators": {"theirs": THEIRS},
        "monitors": {"raw": {"detector": "pixels", "measures": ["frechet"]}},
        "detectors": {f: {"kind": "binary", "backbone": "glyph_vit", "outliers": f} for f in FAKES},
        "methods": {f: {"detector": f, "bank": "full", "score": "knn2"} for f in FAKES},
        "experiments": {"toy": {"dataset": "digits", "normals": ["3"], "methods": list(FAKES),
                                "drawings": ["fakes", "sample_grid"]}},
    }  # fmt: skip
    for section, entries in changes.items():
        new = isinstance(entries, dict)
        config[section] = {**config.get(section, {}), **entries} if new else entries
    (folder / name).write_text(yaml.safe_dump(config))
    return name


def save_official(file: Path, step: int) -> None:
    """A checkpoint as the official code writes it; the same weights each time."""
    torch.manual_seed(0)
    network = plugins.build("generators", {"kind": "score_sde", **NETWORK}).network
    slotted = slots(UNet(size=8, channels=1, **network))
    state = {s.name: (s.target.mT if s.matrix else s.target).detach().clone() for s in slotted}
    torch.save(official(state, step=step), file)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which it has run."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("imported"))
    rng = np.random.default_rng(0)
    np.save(folder / "released.npy", rng.integers(0, 256, (300, 8, 8, 1)).astype(np.uint8))
    (folder / "pictures").mkdir()
    for i in range(20):
        picture = rng.integers(0, 256, (16, 16)).astype(np.uint8)
        Image.fromarray(picture).save(folder / "pictures" / f"{i}.png")
    save_official(folder / "net.pth", 250_000)
    run(folder, *TARGETS, GRID, config=configured(folder))
    return folder


def made(folder, fakes, ending):
    return folder / f"results/fakes/digits/3/{fakes}/seed0.{ending}"


def test_each_kind_of_fakes_says_what_it_took(done):
    facts = {fakes: pd.read_csv(made(done, fakes, "csv")).iloc[0] for fakes in FAKES}
    normal = int(facts["mine"]["normal_images"])
    assert normal > 30
    assert facts["authors"]["n"] == 30  # all there are
    assert facts["mine"]["n"] == round(0.1 * normal)
    assert facts["theirs"]["step"] == 250_000
    assert all(f["copies"] == 0 for f in facts.values())  # noise copies nothing
    block = np.load(done / "released.npy")[90:120]  # of the digit 3
    assert np.array_equal(np.load(made(done, "authors", "npy")), block)
    table = pd.read_csv(done / TARGETS[1]).set_index("fakes")
    assert list(table["n"]) == [30, round(0.1 * normal), round(0.2 * normal)]
    assert table["step"].isna().tolist() == [True, True, False]
    assert set(table["copies (%)"]) == {0.0}
    log = (done / "results/logs/fakes/digits/3/authors/seed0.log").read_text()
    assert f"has 30 images for this task, {normal} were asked for" in log
    assert planned(done, *TARGETS, config="toy.yaml") == {}


def test_a_changed_file_runs_what_depends_on_it_again(done, tmp_path):
    folder = tmp_path / "repo"
    shutil.copytree(done, folder, copy_function=shutil.copy2)
    shutil.copy(folder / "pictures/0.png", folder / "pictures/another.png")
    assert planned(folder, *TARGETS, config="toy.yaml") == {"fakes": 1, "table": 1}
    np.save(folder / "released.npy", np.load(folder / "released.npy")[::-1])
    assert planned(folder, *TARGETS, config="toy.yaml") == {"fakes": 2, "table": 1}
    # the grid shows the first set of each kind
    assert planned(folder, "--", GRID, config="toy.yaml") == {"fakes": 1, "figure": 1}
    save_official(folder / "net.pth", 300_000)
    rules = planned(folder, *TARGETS, config="toy.yaml")
    assert rules == {"generator": 1, "fakes": 3, "table": 1}


def test_a_file_in_a_mirror_is_fetched_and_checked(done, tmp_path):
    folder = tmp_path / "repo"
    shutil.copytree(done, folder, copy_function=shutil.copy2)
    (folder / "mirror/deep").mkdir(parents=True)
    shutil.move(folder / "released.npy", folder / "mirror/deep/released.npy")
    right = hashlib.sha256((folder / "mirror/deep/released.npy").read_bytes()).hexdigest()
    for sha256 in ("0" * 64, right):
        authors = FAKES["authors"] | {"file": "deep/released.npy", "sha256": sha256}
        config = configured(folder, mirrors=["mirror"], fakes={"authors": authors})
        before = made(folder, "authors", "npy").read_bytes()
        text = run(folder, *FIRST, config=config, check=sha256 == right)
        assert ("expected 0000" in text) == (sha256 != right)
    assert made(folder, "authors", "npy").read_bytes() == before
    shutil.rmtree(folder / "mirror")  # it has been fetched
    assert planned(folder, *FIRST, config=config) == {}


def test_weights_come_from_a_mirror_and_stay_with_their_checksum(done, monkeypatch):
    monkeypatch.setenv("NEARND_OFFLINE", "1")
    (done / "weights/deep").mkdir(parents=True)
    torch.manual_seed(0)
    state = timm.create_model("test_vit.r160_in1k", num_classes=0).state_dict()
    save_file(state, done / "weights/test_vit.r160_in1k.safetensors")
    save_file(state, done / "weights/deep/own.safetensors")
    spec = {"kind": "timm", "model": "test_vit.r160_in1k"}
    both = {"public": spec, "own": spec | {"weights": "deep/own.safetensors"}}
    mirror = (done / "weights").as_uri()
    config = configured(done, "weights.yaml", mirrors=[mirror], backbones=both)
    targets = ["--", *(f"results/backbones/{name}/seed0.safetensors" for name in both)]
    assert planned(done, *targets, config=config) == {"backbone": 2, "fetch": 1}
    run(done, *targets, config=config)
    made = [load_file(done / target) for target in targets[1:]]
    assert all(torch.equal(made[0][k], v) and torch.equal(made[1][k], v) for k, v in state.items())
    shutil.rmtree(done / "weights")
    assert planned(done, *targets, config=config) == {}
    (done / targets[1]).unlink()  # made again without the mirror, from what was kept
    run(done, *targets, config=config)
    kept = done / "results/archives/backbones/public/test_vit.r160_in1k.safetensors"
    right = hashlib.sha256(kept.read_bytes()).hexdigest()
    assert kept.with_name(kept.name + ".sha256").read_text().split()[0] == right


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fakes": {"authors": FAKES["authors"] | {"file": "gone.npy"}}},
         "fakes: authors: there is no file gone.npy, and mirrors [] have no gone.npy"),
        ({"fakes": {"authors": {"kind": "imported", "file": "released.npy"}}},
         "fakes: authors: per_class is None"),
        ({"fakes": {"mine": {"kind": "imported", "folder": "gone"}}},
         "fakes: mine: folder gone does not exist"),
        ({"fakes": {"mine": {"kind": "imported", "folder": "named"}}},
         "fakes: mine: imported: named has no folder of images called 3, after the normal class; it"
         " has three. Put images into named/3"),
        ({"fakes": {"authors": FAKES["authors"] | {"per_class": 31}}},
         "fakes: authors: released.npy holds 300 images, with per_class 31"),
        ({"backbones": {"glyph_vit": {"kind": "timm", "model": "test_vit", "weights": "w.pth"}}},
         "backbones: glyph_vit: there is no file w.pth, and mirrors [] have no w.pth; weights may"
         " be pretrained, none, a path, a link, or a path inside a mirror"),
        ({"generators": {"theirs": THEIRS | {"weights": "ve/checkpoint_24.pth"}}},
         "generators: theirs: there is no file ve/checkpoint_24.pth"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(done, monkeypatch, changes, words):
    (done / "named/three").mkdir(parents=True, exist_ok=True)
    shutil.copy(done / "pictures/0.png", done / "named/three")
    monkeypatch.chdir(done)
    settings = yaml.safe_load(Path(configured(done, "missing.yaml", **changes)).read_text())
    config = catalog.whole(ROOT / "config/catalog", {"mirrors": []} | settings)
    with pytest.raises(ValueError, match=re.escape(words)):
        check(config)
        missing.stop_if_missing(Run(config))


def test_what_is_missing_and_fewer_fakes_than_asked_for_are_said_once_before_any_job(done):
    gone = {"authors": FAKES["authors"] | {"file": "gone.npy"}}
    text = run(done, "-n", config=configured(done, "missing.yaml", fakes=gone), check=False)
    assert text.count("fakes: authors: there is no file gone.npy") == 1
    assert "Traceback" not in text
    name = configured(done, "few.yaml", fakes={"mine": FAKES["mine"] | {"ratio": 2}})
    text = run(done, "-n", config=name)
    assert text.count("fakes: mine: 20 images for normal 3 of digits, 1 of 1 tasks have fewer") == 1
    assert "fakes: authors: 30 images for normal 3" in text
    assert "fakes: theirs" not in text
