"""The workflow as a user runs it: once, again, after an edit, after a kill, with a mistake."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from toy import ROOT, SNAKEMAKE, copy_of_the_repository, digests, overlay, planned, run

from nearnd import plugins
from nearnd.commands.show import show
from nearnd.tables_figures._marks import LEGEND, MARK


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which the toy has run."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("toy"))
    run(folder)
    return folder


def test_every_target_is_there_and_readable(done):
    summary = pd.read_csv(done / "results/tables/summary.csv")
    columns = ["dataset", "method", "test", "metric", "mean", "sd", "runs"]
    assert list(summary)[: len(columns)] == columns
    assert set(summary["method"]) == {"pixels", "frozen_digits", "fitymi_digits"}
    expected = {"auroc_one_vs_rest", "auroc_bottom1", "auroc_clp", "aupr_normal", "fpr95"}
    assert expected <= set(summary["metric"])
    assert (summary["runs"] == 1).all()
    assert summary["mean"].between(0, 1).all()
    pixels = summary.query("method == 'pixels' and metric == 'auroc_one_vs_rest'")["mean"].item()
    assert pixels > 0.9  # 3 and 8 are easy for pixels; a broken join of rows would not reach it
    for figure in (done / "results/figures/toy").glob("*.png"):
        assert figure.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    table = (done / "results/tables/toy/per_class.md").read_text()
    assert "FITYMI" in table
    assert MARK in table
    assert LEGEND in table


def test_numbers_have_their_tests(done):
    tables = done / "results/tables"
    summary = pd.read_csv(tables / "summary.csv").query("metric == 'auroc_one_vs_rest'")
    assert ((summary["low"] < summary["mean"]) & (summary["mean"] <= summary["high"])).all()
    found = pd.read_csv(tables / "toy/statistics.csv", keep_default_na=False)
    far = found[found["setting"] == "far (one-vs-rest)"]
    ends = [f"{100 * r.low:.1f} to {100 * r.high:.1f}" for r in summary.itertuples()]
    assert list(far["95 % interval"]) == ends
    assert sorted(far["p"] == "") == [False, False, True]  # the best has no test
    ranks = pd.read_csv(tables / "toy/ranks.csv", keep_default_na=False)
    assert (ranks["Wilcoxon's p"] != "").sum() == 2 * (ranks["Friedman's p"] != "").sum()
    assert "(at least 1)" in ranks["Wilcoxon's p"].max()  # two classes can show nothing
    assert (done / "results/figures/toy/critical_difference.png").stat().st_size > 10_000


def test_a_second_run_does_nothing(done):
    assert "Nothing to be done" in run(done)


def test_one_machine_has_no_limit_of_jobs_per_second(done):
    """The limit leaves a timer for each job, which after some hundred take a third of a core."""
    code = """
import sys
from snakemake.cli import main
from snakemake.scheduling.job_scheduler import JobScheduler
JobScheduler._schedule_reevalutation = lambda *_: print("a timer")
main()
"""
    command = [sys.executable, "-c", code, "--cores", "1", "--configfile", "tests/toy.yaml"]
    costs = done / "results/tables/costs.tsv"
    costs.unlink()
    ran = subprocess.run(command, cwd=done, capture_output=True, text=True)
    assert costs.exists(), ran.stderr
    assert "a timer" not in ran.stdout + ran.stderr


def test_killed_in_the_middle_and_run_again_with_other_threads_it_makes_the_same_bytes(
    done, tmp_path
):
    """Snakemake and its jobs at once, as when a machine loses power, while two generators are
    trained; jobs have other threads than in `done`."""
    folder = copy_of_the_repository(tmp_path)
    rules = ("generator", "fakes", "detector", "features", "bank", "score", "closeness")
    threads = ["--set-threads", "backbone=1", *(f"{rule}=2" for rule in rules)]
    scores = "results/scores/digits/3/{}/test/seed0.csv"
    targets = [*map(scores.format, ("fitymi_digits", "frozen_digits")), "fidelity_curves_toy",
               "results/closeness/digits/linear/test.csv"]  # fmt: skip
    command = [*SNAKEMAKE, "--cores", "2", "--configfile", "tests/toy.yaml", *threads,
               "--rerun-incomplete", *targets]  # fmt: skip
    job = subprocess.Popen(command, cwd=folder, start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    state, deadline = folder / "results/state/generator", time.monotonic() + 600
    while not list(state.rglob("fidelity0000004.json")):  # of its three snapshots
        assert time.monotonic() < deadline, "the generator made no snapshot"
        assert job.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not list((folder / "results/generators").rglob("fidelity.csv"))

    run(folder, "--unlock")
    run(folder, *threads, "--", *targets)
    logs = (folder / "results/logs/generators").rglob("*.log")
    assert any("goes on from step" in log.read_text() for log in logs)
    made, whole = digests(folder), digests(done)
    assert [name for name in made if made[name] != whole[name]] == []
    parts = ("backbones", "generators", "fakes", "detectors", "features", "banks", "scores",
             "closeness", "figures")  # fmt: skip
    assert set(parts) <= {part for name in made for part in re.findall("/([a-z]+)/", name)}
    assert not list((folder / "results/state").rglob("*.safetensors"))


@pytest.fixture(scope="module")
def two_seeds(done, tmp_path_factory):
    """One task of the toy with two seeds, without fakes."""
    folder = tmp_path_factory.mktemp("two") / "repo"
    shutil.copytree(done, folder)
    toy = yaml.safe_load((folder / "tests/toy.yaml").read_text())["experiments"]["toy"]
    small = toy | {"normals": ["3"], "methods": ["pixels", "frozen_digits"], "drawings": []}
    config = overlay(folder, "two.yaml", {"seeds": [0, 1], "experiments": {"toy": small}})
    run(folder, "--", "results/tables/summary.csv", config=config)
    return folder


def test_a_backbone_that_is_trained_here_is_part_of_the_spread_over_seeds(two_seeds):
    files = (two_seeds / "results/backbones/glyph_vit").iterdir()
    assert len({file.read_bytes() for file in files}) == 2
    summary = pd.read_csv(two_seeds / "results/tables/summary.csv")
    spread = summary.query("metric == 'auroc_clp'").set_index("method")["sd"]
    assert spread["frozen_digits"] > 0
    assert spread["pixels"] == 0


def test_fakes_of_every_kind_are_drawn_by_their_rule(done):
    """Those without an entry of the catalog too; `imported` needs a file."""
    entries = {}
    for kind in set(plugins.available("fakes")) - {"imported"}:
        needs = plugins.constant("fakes", kind, "NEEDS")
        others = {"generator": "digits_ve", "dataset": "glyphs"}
        toy = plugins.constant("fakes", kind, "TOY", {})
        entries[f"x_{kind}"] = {"kind": kind, **toy, **{key: others[key] for key in needs}}
    files = [f"results/fakes/digits/3/{name}/seed0.npy" for name in entries]
    config = overlay(done, "fakes.yaml", {"fakes": entries})
    run(done, "--", *files, config=config)
    assert all(len(np.load(done / file)) for file in files)


def test_another_k_runs_scores_and_what_follows_other_mirrors_and_devices_nothing(done):
    machine = {"mirrors": ["elsewhere"], "device": "auto"}
    config = overlay(done, "k.yaml", {"scores": {"knn2": {"k": 3}}} | machine)
    rules = planned(done, config=config)
    assert rules["score"] == 6  # two tasks, three methods
    assert set(rules) <= {"score", "metrics", "summary", "table", "figure"}


def test_another_stop_trains_no_generator_again(done):
    config = overlay(done, "stop.yaml", {"fakes": {"digits_near": {"stop": {"step": 8}}}})
    rules = planned(done, config=config)
    assert rules["fakes"] == rules["detector"] == 2
    assert not {"generator", "backbone", "images"} & set(rules)


def test_the_examples_of_the_config_guide_work(done, tmp_path):
    """A new dataset and a new score are one file and one entry each."""
    folder = tmp_path / "repo"
    shutil.copytree(done, folder)
    guide = (ROOT / "config" / "README.md").read_text()
    dataset, score = re.findall(r"```python\n(.*?)```", guide, re.S)
    (folder / "nearnd/datasets/mine.py").write_text(dataset)
    (folder / "nearnd/scores/norm.py").write_text(score)
    method = {"detector": "frozen_glyph_vit", "bank": "full", "score": "norm", "label": "mine"}
    experiment = {"dataset": "mine", "normals": ["good"], "methods": ["mine", "pixels"]}
    config = overlay(folder, "mine.yaml", {
        "datasets": {"glyphs": {"per_class": 20}, "mine": {"kind": "mine"}},
        "scores": {"norm": {"kind": "norm"}}, "methods": {"mine": method},
        "experiments": {"mine": experiment}, "run": ["mine"],
    })  # fmt: skip
    run(folder, config=config)
    summary = pd.read_csv(folder / "results/tables/summary.csv")
    assert set(summary["method"]) == {"mine", "pixels"}
    assert set(summary["mean"]) <= {0.0, 0.5, 1.0}  # all images of the example are the same


def test_an_edit_of_code_runs_its_jobs_and_a_reworded_comment_none(done):
    kind = {name: done / f"nearnd/{name}.py" for name in ("scores/knn", "banks/full")}
    before = {file: file.read_text() for file in kind.values()}
    try:
        for file, text in before.items():
            file.write_text(text.replace('"""', '"""In other words: ', 1) + "\n# a remark\n")
        with open(kind["scores/knn"], "a") as file:
            file.write("\nEXTRA = 1\n")
        rules = planned(done)
        assert rules["score"] == 6
        assert not {"features", "bank", "detector"} & set(rules)
    finally:
        for file, text in before.items():
            file.write_text(text)


def test_one_table_is_a_target_of_its_own(done):
    table = done / "results/tables/toy/per_class.csv"
    away = table.rename(done / "away.csv")
    try:
        assert planned(done, "--", "per_class_toy") == {"per_class_toy": 1, "table": 1}
        assert planned(done, "--", "fidelity_curves_toy") == {}  # it is there
    finally:
        away.rename(table)


def test_a_mistake_is_named_at_dry_run_before_any_work(done):
    config = overlay(done, "bad.yaml", {"scores": {"knn2": {"neighbours": 3}}})
    text = run(done, "-n", config=config, check=False)
    assert "scores: knn2: unknown argument of kind knn 'neighbours'" in text
    assert "Traceback" not in text
    config = overlay(done, "bad.yaml", {"runs": ["toy"]})
    assert "runs" in run(done, "-n", config=config, check=False)


def test_the_report_has_every_table_and_figure_with_a_caption(done):
    run(done, "--report", "report.html")
    page = (done / "report.html").read_text()
    for name in (
        "per_class",
        "statistics",
        "critical_difference",
        "fidelity_curves",
        "progression",
        "roc",
    ):
        assert name in page
    assert "one-vs-rest" in page  # from a caption
    first = json.loads(re.search(r"var workflow_desc = (.*?);\s*</script>", page, re.S)[1])
    found = (done / "results/tables/found.html").read_text()
    assert "What this run found" in found
    assert found.strip() in first
    assert first.index("How to read it") < first.index("What next")
    assert "System Message" not in first  # what docutils cannot read


def test_a_folder_of_normal_images_only_gets_scores(tmp_path):
    """config/own.yaml, made small: no anomalies, so scores but no averages."""
    folder = copy_of_the_repository(tmp_path)
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        picture = rng.integers(0, 256, (40, 30, 3)).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{i}.{'PNG' if i % 2 else 'jpg'}")
    own = yaml.safe_load((folder / "config/own.yaml").read_text())
    own["datasets"]["own"]["size"] = 32
    network = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2}
    own["backbones"] = {
        "dinov2_or_lite": {"kind": "timm", "model": "vit_tiny_patch16_224", "weights": "none",
                               "kwargs": network}
    }  # fmt: skip
    (folder / "small.yaml").write_text(yaml.safe_dump(own))
    run(folder, config="small.yaml")
    assert (folder / "results/figures/own/anomaly_maps.png").exists()
    for method in own["experiments"]["own"]["methods"]:
        scores = pd.read_csv(folder / f"results/scores/own/normal/{method}/test/seed0.csv")
        assert len(scores) == 4  # a fifth of the images
        assert (scores["score"] > 0).all()
        assert not scores["is_anomaly"].any()
    assert "No test set held anomalies" in show(folder)
    assert planned(folder, config="small.yaml") == {}
    # the same picture again, at the same place: the folder's own time stamp does not change
    Image.fromarray(picture).save(folder / "images" / "3.PNG")
    assert planned(folder, config="small.yaml")["images"] == 1
