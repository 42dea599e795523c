"""What the plan answers to the rules, without snakemake and without a file."""

import copy
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from nearnd import catalog
from nearnd.files.paths import PLACES, path
from nearnd.plan import inputs, missing, resources, targets
from nearnd.plan.check import check
from nearnd.plan.run import Run
from nearnd.report import reads
from nearnd.tasks import Normal, TestSet

ROOT = Path(__file__).parents[1]
CATALOG = catalog.whole(ROOT / "config/catalog")
TOY = yaml.safe_load((ROOT / "tests/toy.yaml").read_text())


def run_of(**changes) -> Run:
    """The toy with other entries, checked."""
    config = catalog.whole(ROOT / "config/catalog", {"mirrors": [], **TOY}, changes)
    check(config)
    return Run(config)


def asked(**wildcards) -> SimpleNamespace:
    return SimpleNamespace(**wildcards)


# ---- tasks ----


@pytest.mark.parametrize(
    ("text", "normal", "of_four"),
    [
        ("cat", ["cat"], 1),
        ("one-of-bat+dog", ["bat", "dog"], 2),
        ("not-cat", ["ant", "bat", "dog"], 3),
        ("all", list("abcd"), 4),
    ],
)
def test_a_normal_says_which_classes_and_how_many(text, normal, of_four):
    classes = ["ant", "bat", "cat", "dog"]
    found = Normal.parse(text)
    assert [c for c in classes if found.holds(c)] == (classes if text == "all" else normal)
    assert found.of(classes).tolist() == [found.holds(c) for c in classes]
    assert found.count(4) == of_four


def test_a_test_set_is_the_own_split_or_another_dataset():
    assert TestSet.parse("test").dataset("cats") == "cats"
    assert TestSet.parse("a.test.test").dataset("cats") == "a.test"
    for wrong in ("train", "svhn", ".test", ""):
        with pytest.raises(ValueError, match=r"may be test or <dataset>\.test"):
            TestSet.parse(wrong)


# ---- paths ----


def test_every_rule_writes_where_the_paths_say():
    """Rules spell their paths out, for readers; no place is spelt in two ways."""
    text = "".join(file.read_text() for file in ROOT.glob("rules/*.smk"))
    for what, place in PLACES.items():
        if what not in ("cached features", "state", "report", "features"):
            stem = place.removesuffix(".npy") if what in ("images", "fakes") else place
            stem = stem.replace("/{split}", "/") if what == "images" else stem
            assert f"results/{stem}" in text, what


# ---- runs ----


def test_each_score_is_asked_for_once_and_the_own_test_split_always():
    run = run_of(datasets={"noise8": {"kind": "noise", "size": 8, "mode": "L"}},
                 experiments={"toy": TOY["experiments"]["toy"] | {"tests": ["noise8.test"]}},
                 seeds=[0, 4])  # fmt: skip
    runs = run.runs("toy")
    assert len(runs) == 2 * 3 * 2 * 2  # normals, methods, image sets, seeds
    assert len({tuple(each.values()) for each in runs}) == len(runs)
    assert {each["images"] for each in runs} == {"test", "noise8.test"}
    assert set(run.datasets) >= {"digits", "noise8", "glyphs"}  # glyphs: of the backbone


def test_training_images_are_embedded_where_a_bank_or_closeness_reads_them():
    banked = run_of().banked
    of_digits = {detector for dataset, detector in banked if dataset == "digits"}
    assert {"pixels", "frozen_glyph_vit", "fitymi_digits"} <= of_digits
    assert not {"patchcore_digits", "bce_digits"} & of_digits  # they hold what they compare with


def test_training_images_of_a_set_that_is_only_tested_on_are_embedded_for_closeness_alone():
    noise = {"noise8": {"kind": "noise", "size": 8, "mode": "L"}}
    spec = TOY["experiments"]["toy"] | {"tests": ["noise8.test"]}
    far = {name: value for name, value in spec.items() if name != "closeness"}
    banked = run_of(datasets=noise, experiments={"far": far}).banked
    assert "noise8" not in {dataset for dataset, _ in banked}
    near = run_of(datasets=noise, experiments={"far": far | {"closeness": "linear"}}).banked
    assert near - banked >= {("noise8", "frozen_glyph_vit")}
    assert {detector for dataset, detector in near if dataset == "noise8"} == {"frozen_glyph_vit"}


def test_tasks_share_what_does_not_look_at_their_normal_class():
    run = run_of()
    pixels, frozen = (
        {run.features("digits", n, d, s, "test") for n in ("3", "8") for s in (0, 1)}
        for d in ("pixels", "frozen_glyph_vit")
    )
    assert pixels == {"results/features/digits/any/pixels/seed0/test.safetensors"}
    assert frozen == {f"results/features/digits/any/frozen_glyph_vit/seed{s}/test.safetensors"
                      for s in (0, 1)}  # fmt: skip
    tuned = {run.features("digits", n, "fitymi_digits", 0, "test") for n in ("3", "8")}
    assert len(tuned) == 2
    # of another dataset's images, whichever experiment asks for them
    other = run.features("digits", "3", "frozen_glyph_vit", 0, "glyphs.test")
    assert other == run.features("glyphs", "any", "frozen_glyph_vit", 0, "test")


def test_a_backbone_that_depends_on_the_seed_is_made_for_each_and_others_once():
    there = {"kind": "timm", "model": "vit_tiny_patch16_224"}
    run = run_of(backbones={"fetched": there, "random": there | {"weights": "none"}},
                 detectors={"d": {"kind": "frozen", "backbone": "fetched"}})  # fmt: skip
    names = ("glyph_vit", "random", "fetched")
    assert [len({run.backbone(name, seed) for seed in (0, 1, 2)}) for name in names] == [3, 3, 1]
    watchers = {inputs.generator(run, asked(dataset="digits", normal="3", generator="digits_ve",
                                            seed=s))["watcher"] for s in (0, 1)}  # fmt: skip
    assert len(watchers) == 2
    assert len({run.detector("digits", "3", "d", seed) for seed in (0, 1)}) == 1


def test_which_class_is_near_does_not_depend_on_the_seeds_of_the_run():
    near = [inputs.closeness(run_of(seeds=seeds),
                             asked(dataset="digits", closeness="linear", images="test"))
            for seeds in ([0], [3, 4])]  # fmt: skip
    assert near[0] == near[1]


def test_a_rule_reads_what_its_entry_names():
    run, task = run_of(), {"dataset": "digits", "normal": "3", "seed": "0"}
    detector = inputs.detector(run, asked(**task, detector="fitymi_digits"))
    assert detector["outliers"] == path("fakes", **task, fakes="digits_near")
    assert detector["backbone"] == path("backbone", backbone="glyph_vit", seed=0)
    fakes = inputs.fakes(run, asked(**task, fakes="digits_near"))
    place = path("generator", **task, generator="digits_ve")
    assert fakes["snapshots"] == f"{place}/snapshots"
    assert inputs.fakes(run, asked(**task, fakes="glyphs"))["others"].endswith("glyphs/train.npy")
    assert "bank" in inputs.score(run, asked(**task, method="pixels", images="test"))
    head = asked(**task, method="fitymi_digits_head", images="test")
    assert "bank" not in inputs.score(run, head)


def test_build_gets_an_entry_without_what_is_for_the_workflow():
    run = run_of()
    assert run.entry("drawings", "per_class") == {"kind": "per_class"}  # no label
    assert "monitor" not in run.entry("generators", "digits_ve")
    assert run.digest("drawings", "per_class") != run.digest("drawings", "roc")


def test_every_rule_with_inputs_from_entries_is_answered():
    text = "".join(file.read_text() for file in ROOT.glob("rules/*.smk"))
    assert {rule for rule in inputs.RULES if f'inputs_of("{rule}")' in text} == set(inputs.RULES)


# ---- several datasets ----

UNITED = {
    "two": {"dataset": "digits", "normals": ["3", "8"], "methods": ["pixels", "frozen_digits"]},
    "letters": {"dataset": "glyphs", "normals": ["A"], "methods": ["pixels", "frozen_small32"]},
    "both": {"of": ["two", "letters"], "drawings": ["overview"], "note": "of two datasets"},
}


def united() -> Run:
    methods = {name: CATALOG["methods"][name] | {"row": "frozen"}
               for name in ("frozen_digits", "frozen_small32")}  # fmt: skip
    return run_of(experiments=UNITED, methods=methods, run=["both"])


def test_an_experiment_that_unites_others_reads_all_of_theirs_under_one_row():
    run = united()
    assert run.experiments == ["two", "letters"]
    about = targets.drawing(run, "both", "overview")
    files = {source["file"] for source in about["sources"]["metrics"]}
    assert files == {path("metrics", experiment=name) for name in ("two", "letters")}
    assert about["rows"]["frozen_digits"] == about["rows"]["frozen_small32"] == "frozen"
    assert set(about["labels"]) == {"pixels", "frozen"}
    assert about["note"] == "of two datasets"
    assert path("table", experiment="both", drawing="overview") in targets.whole(run)
    assert len(targets.summary(run)) == 2


def test_two_methods_of_a_dataset_cannot_fill_one_row():
    experiments = copy.deepcopy(UNITED)
    experiments["two"]["methods"].append("frozen_digits_cosine")
    methods = {name: CATALOG["methods"][name] | {"row": "frozen"}
               for name in ("frozen_digits", "frozen_digits_cosine")}  # fmt: skip
    with pytest.raises(ValueError, match="both fill the row frozen"):
        run_of(experiments=experiments, methods=methods, run=["both"])


def test_united_experiments_are_ones_with_tasks():
    with pytest.raises(ValueError, match="unites others itself"):
        run_of(experiments=UNITED | {"more": {"of": ["both"]}}, run=["more"])
    with pytest.raises(ValueError, match="unknown entry of experiments 'letter'"):
        run_of(experiments=UNITED | {"more": {"of": ["letter"]}}, run=["more"])


# ---- what is drawn, made and missing ----


@pytest.mark.parametrize("what", reads.READS)
def test_what_a_drawing_reads_is_made_by_the_workflow(what):
    run = run_of(experiments={"toy": TOY["experiments"]["toy"] | {"closeness": "linear"}})
    if what == "samplers":
        run = run_of(run=["digits_samplers"])
    experiment = run.config["run"][0]
    places = [place.split("/")[0] for place in PLACES.values()]
    for file in reads.files(reads.sources(run, experiment, [what])):
        assert file.split("/")[1] in places, file


def test_samples_are_of_each_kind_of_fakes_and_of_generator():
    methods = ["fitymi_digits", "fitymi_s50", "fitymi_digits_denseflow", "fitymi_noised03"]
    spec = {"dataset": "digits", "normals": ["3"], "drawings": ["sample_grid"]}
    config = copy.deepcopy(CATALOG) | {"run": ["all_kinds"], "seeds": [0], "mirrors": []}
    config["experiments"]["all_kinds"] = spec | {"methods": methods}
    config["experiments"]["one_kind"] = spec | {"methods": methods[:2]}
    check(config)
    names = Run(config).fakes_behind(methods)

    def shown(experiment):
        (source,) = reads.READS["samples"].sources(Run(config), experiment)
        files = {k: f for k, f in source["file"].items() if k.startswith("fakes ")}
        return {k.removeprefix("fakes "): f.split("/")[-2] for k, f in files.items()}

    assert shown("one_kind") == {"fakes": names["fitymi_digits"]}
    assert shown("all_kinds") == {
        "fakes, SDE": names["fitymi_digits"],
        "fakes, DenseFlow": names["fitymi_digits_denseflow"],
        "noised": names["fitymi_noised03"],
    }


def test_targets_have_names_but_never_one_of_a_rule():
    run = run_of()
    named = targets.named(run, {"toy"})
    assert "toy" not in named
    assert named["per_class_toy"] == path("table", experiment="toy", drawing="per_class")


def test_a_folder_whose_name_is_no_text_is_named_before_any_job(tmp_path):
    """Snakemake writes down the names of inputs."""
    odd = os.fsencode(tmp_path) + b"/good/d\xff"
    os.makedirs(odd)
    for at in (os.fsencode(tmp_path) + b"/good", odd):
        with open(at + b"/a.png", "wb"):
            pass
    own = {"kind": "image_folder", "path": str(tmp_path)}
    run = run_of(datasets={"own": own}, experiments={"own": {"dataset": "own", "normals": "each",
                 "methods": ["pixels"]}}, run=["own"])  # fmt: skip
    (sentence,) = missing.missing_files(run)
    assert sentence.startswith("datasets: own: the name of the folder b'")
    assert r"good/d\xff' is not UTF-8" in sentence


def test_a_run_lists_what_is_missing_once_for_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"kind": "imported", "file": "nowhere.npy", "per_class": 3}
    detector = CATALOG["detectors"]["fitymi_digits"] | {"outliers": "made"}
    run = run_of(fakes={"made": entry}, detectors={"fitymi_digits": detector})
    (sentence,) = missing.missing_files(run)
    assert sentence.startswith("fakes: made: there is no file nowhere.npy")
    with pytest.raises(ValueError, match="config: fakes: made"):
        missing.stop_if_missing(run)
    (tmp_path / "nowhere.npy").write_bytes(b"")
    assert "nowhere.npy" in missing.missing_files(run_of(
        fakes={"made": entry}, detectors={"fitymi_digits": detector}))[0]  # fmt: skip
    fine = run_of()
    missing.stop_if_missing(fine)
    assert fine.complete


# ---- resources ----


def test_threads_follow_the_size_of_the_images_alone():
    datasets = {name: {"kind": "image_folder", "path": "x", "size": size}
                for name, size in (("small", 32), ("middle", 64), ("large", 128))}  # fmt: skip
    run = run_of(datasets=datasets)
    assert [resources.threads(run, name) for name in (*datasets, None)] == [1, 2, 4, 1]
    assert resources.memory(run, "large", 2) == 2 * resources.memory(run, "large")
    assert resources.runtime(run, "large", 10**9) == 24 * 60
    assert resources.gpus("cpu") == 0
    assert resources.gpus("cuda:1") == 1


def test_a_backbone_that_is_trained_gets_two_threads_for_all_others_wait():
    run = run_of()
    found = [resources.backbone_threads(run, name) for name in ("glyph_vit", "vit_b16_in21k")]
    assert found == [2, 1]
