"""The workflow as a user runs it: once, again, after an edit, after a kill, with a mistake."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from nearnd.cli import show

ROOT = Path(__file__).parents[1]
SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def copy_of_the_repository(folder: Path) -> Path:
    for name in ["Snakefile", "rules", "config", "workflow", "nearnd", "profiles", "resources",
                 "envs", "tests/toy.yaml"]:  # fmt: skip
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return folder


def run(folder: Path, *arguments: str, config: str = "tests/toy.yaml", check: bool = True) -> str:
    command = [*SNAKEMAKE, "--cores", "2", "--configfile", config, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert not check or done.returncode == 0, text
    return text


def planned(folder: Path, *arguments: str, config: str = "tests/toy.yaml") -> dict[str, int]:
    """Rule -> number of jobs that a run would do."""
    text = run(folder, "-n", *arguments, config=config)
    stats = re.search(r"^job +count\n-+ +-+\n(.*?)\n\n", text, re.M | re.S)
    rows = [line.split() for line in stats[1].splitlines()] if stats else []
    return {name: int(count) for name, count in rows if name not in ("total", "all")}


def overlay(folder: Path, name: str, changes: dict) -> str:
    """The toy config with other entries, as a file."""
    config = yaml.safe_load((folder / "tests/toy.yaml").read_text())
    for section, entries in changes.items():
        if isinstance(entries, dict):
            config[section] = {**config.get(section, {}), **entries}
        else:
            config[section] = entries
    (folder / name).write_text(yaml.safe_dump(config))
    return name


def digests(folder: Path) -> dict[str, str]:
    """What was made, without logs and measured times."""
    files = [f for f in sorted((folder / "results").rglob("*")) if f.is_file()]
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in files
        if f.suffix in {".csv", ".npy", ".safetensors", ".png", ".md", ".tex"}
    }


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


def test_a_second_run_does_nothing(done):
    assert "Nothing to be done" in run(done)


def test_the_same_seed_gives_the_same_bytes(done, tmp_path):
    again = copy_of_the_repository(tmp_path)
    run(again)
    assert digests(again) == digests(done)


def test_another_k_runs_scores_and_what_follows(done):
    config = overlay(done, "k.yaml", {"scores": {"knn2": {"k": 3}}})
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


def test_mirrors_and_device_re_run_nothing(done):
    config = overlay(done, "machine.yaml", {"mirrors": ["elsewhere"], "device": "auto"})
    assert planned(done, config=config) == {}


def test_an_edit_of_code_runs_its_jobs_and_a_reworded_comment_none(done):
    file = done / "nearnd" / "scores" / "knn.py"
    text = file.read_text()
    try:
        file.write_text(text.replace('"""', '"""In other words: ', 1) + "\n# a remark\n")
        assert planned(done) == {}
        file.write_text(text + "\nEXTRA = 1\n")
        rules = planned(done)
        assert rules["score"] == 6
        assert not {"features", "bank", "detector"} & set(rules)
    finally:
        file.write_text(text)


def test_one_table_is_a_target_of_its_own(done):
    (done / "results/tables/toy/per_class.csv").unlink()
    try:
        assert planned(done, "--", "per_class_toy") == {"per_class_toy": 1, "table": 1}
        assert planned(done, "--", "fidelity_curves_toy") == {}  # it is there
    finally:
        run(done, "--", "per_class_toy")
    assert planned(done) == {}


def test_a_mistake_is_named_at_dry_run_before_any_work(done):
    config = overlay(done, "bad.yaml", {"scores": {"knn2": {"neighbours": 3}}})
    text = run(done, "-n", config=config, check=False)
    assert "scores: knn2: unknown argument of kind knn 'neighbours'" in text
    assert "Traceback" not in text
    config = overlay(done, "bad.yaml", {"runs": ["toy"]})
    assert "runs" in run(done, "-n", config=config, check=False)


@pytest.mark.parametrize(("cores", "threads"), [("2", 1), ("16", 4)])
def test_four_classes_share_the_cores_of_the_machine(tmp_path, cores, threads):
    text = run(ROOT, "-n", "-d", str(tmp_path), "--cores", cores, config="config/wbc.yaml")
    jobs = re.findall(r"^rule generator:\n(.*?)\n\[", text, re.M | re.S)
    found = [re.search(r"threads: (\d+)", job) for job in jobs]
    assert [int(n[1]) if n else 1 for n in found] == [threads] * 4


def test_the_report_has_every_table_and_figure_with_a_caption(done):
    run(done, "--report", "report.html")
    page = (done / "report.html").read_text()
    for name in ("per_class", "fidelity_curves", "progression", "roc"):
        assert name in page
    assert "one-vs-rest" in page  # from a caption


def test_a_folder_of_normal_images_only_gets_scores(tmp_path):
    """config/own.yaml, made small: no anomalies, so scores but no averages."""
    folder = copy_of_the_repository(tmp_path)
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        picture = rng.integers(0, 256, (40, 30, 3)).astype(np.uint8)
        Image.fromarray(picture).save(folder / "images" / f"{i}.{'PNG' if i % 2 else 'jpg'}")
    own = yaml.safe_load((folder / "config/own.yaml").read_text())
    own["datasets"]["glyphs32"] = {"per_class": 20}
    own["backbones"] = {"glyph_vit32": {"epochs": 1}}
    own["generators"] = {
        "ve_small32": {
            "steps": 4,
            "snapshots": [2, 4],
            "sampler": {"kind": "heun", "steps": 3},
            "batch": 4,
        }
    }
    own["fakes"] = {"near_small32": {"stop": {"step": 4}}}
    own["detectors"] = {"fitymi_small32": {"epochs": 1}}
    (folder / "small.yaml").write_text(yaml.safe_dump(own))
    run(folder, config="small.yaml")
    for method in ("pixels", "frozen_small32", "fitymi_small32"):
        scores = pd.read_csv(folder / f"results/scores/own/normal/{method}/test/seed0.csv")
        assert len(scores) == 4  # a fifth of the images
        assert (scores["score"] > 0).all()
        assert not scores["is_anomaly"].any()
    assert "No test set held anomalies" in show(folder)
    assert planned(folder, config="small.yaml") == {}
    # the same picture again, at the same place: the folder's own time stamp does not change
    Image.fromarray(picture).save(folder / "images" / "3.PNG")
    assert planned(folder, config="small.yaml")["images"] == 1


KILLED = {
    "generators": {"digits_ve": {"steps": 400, "snapshots": [40, 80, 400], "batch": 8,
                                 "sampler": {"kind": "heun", "steps": 3}}},
    "fakes": {"digits_near": {"stop": {"step": 400}}},  # until then it trains
}  # fmt: skip


def test_a_generator_killed_in_the_middle_goes_on_to_the_same_bytes(done, tmp_path):
    target = "results/generators/digits/3/digits_ve/seed0/fidelity.csv"
    folders = []
    for name in ("killed", "undisturbed"):
        folder = copy_of_the_repository(tmp_path / name)
        shutil.copytree(done / "results" / "images", folder / "results" / "images")
        for part in ("backbones", "detectors"):
            shutil.copytree(done / "results" / part, folder / "results" / part)
        overlay(folder, "kill.yaml", KILLED)
        folders.append(folder)
    killed, undisturbed = folders

    command = [*SNAKEMAKE, target, "--cores", "2", "--configfile", "kill.yaml",
               "--rerun-triggers", "mtime"]  # fmt: skip
    job = subprocess.Popen(command, cwd=killed, start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    state = killed / "results" / "state" / "generator"
    deadline = time.monotonic() + 120
    while not list(state.rglob("fidelity0000080.json")):
        assert time.monotonic() < deadline, "the generator made no snapshot"
        assert job.poll() is None, "the generator ended before it could be killed"
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not (killed / target).exists()

    only = ("--rerun-triggers", "mtime", "--rerun-incomplete", target)
    run(killed, "--unlock", config="kill.yaml")
    text = run(killed, *only, config="kill.yaml")
    assert "goes on from step" in text
    run(undisturbed, *only, config="kill.yaml")
    made = [digests(folder) for folder in folders]
    names = [name for name in made[0] if "/generators/" in name]
    assert len(names) == 5  # three snapshots, fidelity, previews
    assert {n: made[0][n] for n in names} == {n: made[1][n] for n in names}
    assert not state.exists() or not list(state.rglob("*.safetensors"))
