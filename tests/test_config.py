"""A config that cannot work is refused in one sentence that says where."""

import ast
import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.datasets.cifar10 import CLASSES
from nearnd.plan.check import check
from nearnd.plan.missing import unseen
from nearnd.plan.run import Run
from nearnd.plan.start import check_whole

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
        check(over(whole, yaml.safe_load(file.read_text())))


def test_every_experiment_of_the_catalog_is_sound(whole):
    check(whole | {"run": list(whole["experiments"])})


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
    *[({"detectors": {"d": {"kind": kind, "backbone": "glyph_vit", "hard": hard}}},
       r"detectors: d: hard has (mixup_)?outliers, which needs outliers: an entry of fakes")
      for kind in ("unode", "unode_pretrained", "unode_labelled")
      for hard in (["rotation", "outliers"], {"mixup_outliers": 1.0})],
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
    ({"experiments": {"e": {"dataset": "digits", "normals": ["10"], "methods": ["pixels"]}},
      "run": ["e"]}, r"experiments: e: normals: unknown normal '10'"),
    ({"experiments": {"e": {"dataset": "digits", "normals": "each", "methods": ["pixels"],
                            "tests": ["glyphs"]}}, "run": ["e"]},
     r"'glyphs' may be test or <dataset>\.test"),
    ({"monitors": {"m": {"detector": "pixels", "measures": ["fid"]}}}, r"unknown measure 'fid'"),
    ({"fakes": {"digits_near": {"stop": {"fid": 40}}}},
     r"fakes: digits_near: stop is .*does not say of which distance"),
    ({"fakes": {"digits_near": {"stop": {"fid": 40}, "measure": "fid"}}},
     r"fakes: digits_near: stop: unknown measure 'fid'; there is .*kid"),
    ({"fakes": {"digits_near": {"stop": {"step": 299}}}},
     r"digits_near: stop step is 299, of which digits_ve has no snapshot; it has 50, 100, "),
    ({"fakes": {"digits_near": {"stop": {"fid": 40}, "measure": "frechet"}}},
     r"reads frechet in 128 features of frozen_glyph_vit.*digits has about 108 for normal 0"),
    ({"run": ["cifar10"], "monitors": {"inception": {"least": 32}}},
     r"near: stop reads frechet in 2048 .*sure to be measured with 32. Set least .* 2049"),
    ({"run": ["digits_samplers"], "experiments": {"digits_samplers": {"samplers": {
        "generator": "digits_ve", "compare": ["heun"], "step": 7}}}},
     r"digits_samplers: samplers step is 7, of which digits_ve has no snapshot"),
    ({"generators": {"ve_high": {"steps": 900}}}, r"ve_high: snapshots is .*none is a step from 1"),
    ({"drawings": {"roc": {"methods": ["x"]}}}, r"digits: roc: unknown methods 'x'; there is fit"),
    ({"drawings": {"roc": {"near": "x.test"}}}, r"digits: roc: unknown near 'x.test'; there is"),
    ({"experiments": {"e": {"dataset": "glyphs32", "normals": ["A"], "methods": ["pixels"],
                            "tests": ["glyphs.test"]}}, "run": ["e"]},
     r"e: tests: images of glyphs.test have 8 pixels a side, those of glyphs32 32, and detector p"),
    ({"experiments": {"e": {"dataset": "glyphs32", "normals": ["A"], "methods": ["oe"]}},
      "run": ["e"]}, r"fakes: glyphs: images of glyphs have 8 pixels a side, those of glyphs32 32"),
    ({"experiments": {"e": {"dataset": "digits", "normals": ["one-of-all"], "methods": ["pixels"]}},
      "run": ["e"]}, r"experiments: e: normals: unknown normal 'all'"),
    ({"experiments": {"e": {"dataset": "digits", "normals": "each", "methods": ["pixels"],
                            "tests": ["q.test"]}}, "run": ["e"],
      "datasets": {"q": {"kind": "drawn", "dataset": "digits", "fakes": "digits_near",
                         "only": ["77"]}}}, r"datasets: q: only: unknown class '77'"),
    ({"experiments": {"e": {"dataset": "digits", "normals": "each", "methods": ["pixels"],
                            "metrics": ["micro_f", "macro_f"]}}, "run": ["e"]},
     r"e: metrics micro_f, macro_f ask for the class .*, which method pixels does not say"),
    ({"generators": {"digits_biggan": {"turns": 0}}}, r"turns is 0; it may be .* from 1"),
    ({"detectors": {"classifier_oe": {"outlier_batch": 0}}}, r"outlier_batch is 0; it may be "),
    ({"detectors": {"mc_dropout": {"dropout": 0}}}, r"dropout is 0; it may be .* from 0.001"),
    ({"metrics": {"base_rate": {"x": 1}}}, r"of kind base_rate .x.; there is none"),
    # what only `build` knows
    ({"scores": {"knn2": {"distance": "cosinus"}}}, r"scores: knn2: distance is 'cosinus'"),
    ({"datasets": {"digits": {"part": "half"}}}, r"datasets: digits: .*part is 'half'"),
    ({"detectors": {"fitymi_digits": {"optimizer": "adam"}}},
     r"fitymi_digits: optimizer is 'adam'; it may be sgd or adamw"),
    ({"mirrors": ["ftp://example.org"]}, r"mirrors: 'ftp://example.org' cannot be opened"),
    ({"mirrors": ["http://[::1"]}, r"mirrors: .* cannot be opened"),
    ({"mirrors": ["a\0b"]}, r"mirrors: .* cannot be opened"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"), MISTAKES, ids=lambda x: x if isinstance(x, str) else ""
)
def test_mistakes_are_named(whole, change, words):
    with pytest.raises(ValueError, match=words):
        check(over(whole, change))


WRONG = [None, True, math.nan, math.inf, -1, "8", [8], {"a": 8}, 10**30]
ARGUMENTS = [
    ("datasets", "glyphs", "size", [*WRONG, 0, 1.0, 10**9], [4, 300]),
    ("scores", "knn2", "k", [*WRONG, 0, 2.0], [1]),
    ("scores", "pca_svm", "pca", [*WRONG[1:], [0.9]], [0.9, None]),
    ("detectors", "fitymi_digits", "lr", [*WRONG, "1e-3"], [0, 1, 0.5]),
    ("detectors", "fitymi_digits", "freeze", [*WRONG, 1.1], [0, 1, 0.5]),
    ("detectors", "fitymi_digits", "flip", [None, 1, "true", "yes"], [True]),
    ("generators", "ve_high", "snapshots", [*WRONG[:-3], [0], [50.0], ["50"]], [[600], 4]),
    ("datasets", "own", "path", [None, 5, ["x"], "a\0b"], []),
    ("drawings", "roc", "methods", ["pixels", [3]], [["pixels"], None]),
]


@pytest.mark.parametrize(("section", "name", "argument", "wrong", "right"), ARGUMENTS)
def test_an_argument_may_be_what_its_annotation_and_its_name_say(
    whole, section, name, argument, wrong, right
):
    more = {
        "scores": {"pca_svm": {"kind": "one_class_svm"}},
        "datasets": {"own": {"kind": "image_folder", "path": "x"}},
    }
    config = over(whole, more)
    for value in wrong:
        with pytest.raises(ValueError, match=rf"{name}: {argument} is .*; it may be "):
            check(over(config, {section: {name: {argument: value}}}))
    for value in right:
        check(over(config, {section: {name: {argument: value}}}))


def test_of_every_argument_the_check_knows_what_it_may_be():
    """An alias, `Word = Literal[...]`, would let pass whatever is given."""
    for stage in sorted({settings.STAGE.get(s, s) for s in settings.KEYS} - {"tables_figures"}):
        for kind in plugins.available(stage):
            written = plugins._keywords(stage, kind)
            for name, type_ in plugins.types(stage, kind).items():
                annotation = written[name][1]
                stated = annotation is not None and ast.unparse(annotation) != "Any"
                assert not (stated and type_ is Any), f"{stage}/{kind}: {name}"


def test_a_number_that_yaml_takes_for_a_text_is_explained(whole):
    with pytest.raises(ValueError, match="1e-3 is a text: write a number .* 1e-3 as 1.0e-3"):
        check(over(whole, {"detectors": {"fitymi_digits": {"lr": "1e-3"}}}))


SCHEMA = [
    ({"seeds": [1.0]}, r"seeds: 0 is 1.0; it may be a whole number"),
    ({"seeds": 0}, r"seeds is 0; it may be a list of different whole"),
    ({"run": "digits"}, r"run is 'digits'; it may be a list of texts"),
    ({"experiments": {"digits": {"methods": "pixels"}}}, r"methods is 'pixels'; it may be a list"),
    ({"experiments": {"digits": {"normals": "3"}}}, r"normals is '3'; it may be each, "),
    ({"seed": [0]}, r"unknown key 'seed'.*Did you mean 'seeds'"),
    ({"datasets": {"digits": {"most": -1}}}, r"digits: most is -1; .*a whole number from 1"),
    ({"datasets": {"digits": {"most": math.nan}}}, r"most is nan; .*a whole number from 1"),
    ({"fakes": {"digits_near": {"ratio": 0}}}, r"digits_near: ratio is 0; .*a number above 0"),
    ({"fakes": {"digits_near": {"ratio": math.nan}}}, r"ratio is nan; .*a number above 0"),
    ({"monitors": {"glyph_vit": {"images": 8.0}}}, r"vit: images is 8.0; it may be a whole number"),
    ({"experiments": {"digits": {"normals": [2]}}}, r"normals.* is .*2.*; it may be .*in quotes"),
    ({"experiments": {"digits": {"normls": ["2"]}}}, r"unknown key 'normls'.*mean 'normals'"),
    ({"scores": {"x" + "_" * 20: {"kind": "knn"}}}, r"scores: a name is 'x_.* not repeat its end"),
]


@pytest.mark.parametrize(("change", "words"), SCHEMA, ids=lambda x: x if isinstance(x, str) else "")
def test_what_the_schema_refuses_is_one_sentence(whole, change, words):
    with pytest.raises(ValueError, match=words) as error:
        check_whole(over(whole, change), ROOT)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"kind": "corrupted", "of": "digits", "corruptions": ["nosuch"]}, "must be some of"),
        ({"kind": "corrupted", "of": "digits", "severities": []}, "must be some of"),
        ({"kind": "image_folder", "path": ".", "group": "("}, "group is .*a regular expression"),
    ],
)
def test_what_a_dataset_cannot_do_is_said_before_any_job(entry, words):
    with pytest.raises(ValueError, match=words):
        plugins.build("datasets", {key: value for key, value in entry.items() if key != "of"})


def test_a_folder_that_is_not_there_is_named_with_the_entry_that_names_it(whole):
    own = {"kind": "image_folder", "path": "not/there"}
    e = {"dataset": "own", "normals": "each", "methods": ["pixels"]}
    with pytest.raises(ValueError, match="datasets: own: .*path not/there does not exist"):
        check(over(whole, {"datasets": {"own": own}, "experiments": {"e": e}, "run": ["e"]}))


def test_what_has_no_training_images_cannot_be_normal(whole, tmp_path):
    for folder in ("train/good", "test/good", "test/bad"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(2):
            (tmp_path / folder / f"{i}.png").write_bytes(b"")
    own = {"kind": "image_folder", "path": str(tmp_path)}
    e = {"dataset": "own", "normals": ["bad"], "methods": ["pixels"]}
    with pytest.raises(ValueError, match="normals: bad has no training images in own, only good"):
        check(over(whole, {"datasets": {"own": own}, "experiments": {"e": e}, "run": ["e"]}))


def test_a_class_name_that_repeats_its_end_is_refused(tmp_path):
    config = {"datasets": {"own": {"kind": "image_folder", "path": str(tmp_path)}}}
    for name, good in (("part" + 19 * "-", True), ("part" + 20 * "-", False), (20 * "ab", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"")
        if good:
            assert settings.classes(config, "own") == [name]
        else:
            with pytest.raises(ValueError, match="ends? in the same 20 times over"):
                settings.classes(config, "own")
        (tmp_path / name / "0.png").unlink()
        (tmp_path / name).rmdir()


@pytest.mark.parametrize("name", ["<b>", "a>", "{x}"])
def test_a_class_name_that_snakemake_would_fill_in_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "0.png").write_bytes(b"")
    config = {"datasets": {"own": {"kind": "image_folder", "path": str(tmp_path)}}}
    with pytest.raises(ValueError, match=f"a class is called '{name}'"):
        settings.classes(config, "own")


def test_images_larger_than_what_a_detector_sees_are_remarked_upon(whole):
    def said(size):
        config = over(whole, {"run": ["digits"], "datasets": {"digits": {"kind": "glyphs"}}})
        config["datasets"]["digits"]["size"] = size
        return unseen(Run(config))

    assert said(31) == []
    ((sentence),) = said(64)
    assert sentence.startswith("datasets: digits: images have 64 pixels a side, but ")
    assert "frozen_glyph_vit makes them 16" in sentence


def test_normals(whole):
    def of(normals):
        experiment = {"dataset": "digits", "normals": normals, "methods": ["pixels"]}
        return settings.normals(over(whole, {"experiments": {"e": experiment}}), "e")

    assert of("each") == list("0123456789")
    assert of("each-not")[3] == "not-3"
    assert of("all") == ["all"]
    assert of(["not-1", "7"]) == ["not-1", "7"]
