"""A config that cannot work is refused in one sentence that says where."""

import copy
from pathlib import Path

import pytest
import yaml

from nearnd import catalog
from nearnd import config as settings
from nearnd.datasets.cifar10 import CLASSES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def whole():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return catalog.whole(ROOT / "config/catalog", config)


def over(whole, changes):
    return catalog.derive(catalog.lay_over(copy.deepcopy(whole), changes))


def test_all_shipped_selections_are_sound(whole, tmp_path, monkeypatch):
    fsgan = [f"cifar10_fsgan/{name}" for name in CLASSES]
    for folder in ["images", *fsgan]:  # of config/own.yaml and config/cifar10_fsgan.yaml
        (tmp_path / folder).mkdir(parents=True)
        for i in range(3):
            (tmp_path / folder / f"{i}.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    for file in sorted((ROOT / "config").glob("*.yaml")):
        settings.check(over(whole, yaml.safe_load(file.read_text())))


def test_every_experiment_of_the_catalog_is_sound(whole):
    settings.check(whole | {"run": list(whole["experiments"])})


MISTAKES = [
    ({"run": ["digit"]}, r"run: unknown entry of experiments 'digit'.*Did you mean 'digits'"),
    ({"methods": {"m": {"detector": "pixel", "bank": "full", "score": "knn2"}}},
     r"methods: m: detector: unknown entry of detectors 'pixel'.*Did you mean 'pixels'"),
    ({"methods": {"m": {"detector": "pixels", "bank": "none", "score": "knn2"}}},
     r"methods: m: score knn2 needs a bank"),
    ({"methods": {"m": {"detector": "pixels", "bank": "full", "score": "s"}},
      "scores": {"s": {"kind": "knn", "feature": "logit"}}},
     r"methods: m: score s reads logit, but detector pixels gives features"),
    ({"experiments": {"digits": {"methods": ["msp_digits"]}}},
     r"experiments: digits: method msp_digits tells normal classes apart, but normal 0 is one"),
    ({"scores": {"knn2": {"kk": 3}}}, r"scores: knn2: unknown argument of kind knn 'kk'"),
    ({"detectors": {"d": {"kind": "binary", "outliers": "digits_near"}}},
     r"detectors: d: kind binary needs backbone: an entry of backbones"),
    ({"detectors": {"d": {"kind": "binary", "backbone": "glyph_vit"}}},
     r"detectors: d: kind binary needs outliers: an entry of fakes"),
    ({"fakes": {"digits_near": {"stop": {"fd": 40}}}}, r"stop is .*one of fid, factor, step, wind"),
    ({"fakes": {"digits_near": {"stop": {"window": [50, 30]}}}}, r"two rising numbers"),
    ({"fakes": {"digits_near": {"stop": {"step": [300, 150]}}}}, r"or a rising list of them"),
    ({"generators": {"digits_ve": {"until": {"fid": -4}}}}, r"digits_ve: until fid is -4; it may"),
    ({"generators": {"digits_ve": {"until": {"fid": 4, "measure": "kidd"}}}},
     r"digits_ve: until: unknown measure 'kidd'; .*Did you mean 'kid'"),
    ({"generators": {"digits_ve": {"until": {"step": 250}}}},
     r"digits_near: stop step is 300, but the training of digits_ve ends at step 250 \(generators"),
    ({"fakes": {"digits_near": {"ratio": 0}}}, r"ratio is 0; it may be a number above 0"),
    ({"experiments": {"e": {"dataset": "digits", "normals": ["10"], "methods": ["pixels"]}},
      "run": ["e"]}, r"experiments: e: normals: unknown normal '10'"),
    ({"experiments": {"e": {"dataset": "digits", "normals": "each", "methods": ["pixels"],
                            "tests": ["glyphs"]}}, "run": ["e"]},
     r"'glyphs' may be test or <dataset>\.test"),
    ({"monitors": {"m": {"detector": "pixels", "measures": ["fid"]}}}, r"unknown measure 'fid'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"), MISTAKES, ids=lambda x: x if isinstance(x, str) else ""
)
def test_mistakes_are_named(whole, change, words):
    with pytest.raises(ValueError, match=words):
        settings.check(over(whole, change))


def test_normals(whole):
    def of(normals):
        experiment = {"dataset": "digits", "normals": normals, "methods": ["pixels"]}
        return settings.normals(over(whole, {"experiments": {"e": experiment}}), "e")

    assert of("each") == list("0123456789")
    assert of("each-not")[3] == "not-3"
    assert of("all") == ["all"]
    assert of(["not-1", "7"]) == ["not-1", "7"]
