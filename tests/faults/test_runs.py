"""The whole workflow when it is killed, started twice, or when the clock goes back; odd names."""

import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest
from _fuzz import MANY
from _stages import REPEATS
from PIL import Image
from toy import SNAKEMAKE, copy_of_the_repository, digests, overlay, planned, run

# three jobs; the option ends the list of config files
TARGET = ("--rerun-incomplete", "results/features/digits/any/pixels/seed0/train.safetensors")
LONG = pytest.mark.skipif(not MANY, reason="minutes; NEARND_FAULTS=20 (make test-faults) runs it")
DAY = 24 * 3600


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = copy_of_the_repository(tmp_path_factory.mktemp("runs") / "done")
    run(folder, *TARGET)
    return folder


def moved(folder, seconds, *names):
    """Sets the times of files, as a clock that was wrong would have."""
    for name in names:
        for file in [folder / name, *(folder / name).rglob("*")]:
            stat = file.stat()
            os.utime(file, (stat.st_atime + seconds, stat.st_mtime + seconds))


def test_times_in_the_future_run_nothing_again(done, tmp_path):
    """The clock was a day ahead, and is now right."""
    folder = tmp_path / "future"
    shutil.copytree(done, folder)
    moved(folder, DAY, "results")
    assert planned(folder, *TARGET) == {}


def test_a_clock_that_went_back_between_two_jobs_costs_one_more_run_at_most(done, tmp_path):
    """The images are from tomorrow, what was made of them is older than they: that is made once
    more, with the same bytes, and then all is well."""
    folder = tmp_path / "back"
    shutil.copytree(done, folder)
    moved(folder, DAY, "results/images")
    before = digests(folder)
    run(folder, *TARGET)
    assert digests(folder) == before
    assert planned(folder, *TARGET) == {}


def test_two_runs_in_one_folder_are_told_apart(tmp_path):
    folder = copy_of_the_repository(tmp_path / "two")
    command = [*SNAKEMAKE, "--cores", "1", "--configfile", "tests/toy.yaml", *TARGET]
    first = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    locks, deadline = folder / ".snakemake" / "locks", time.monotonic() + 120
    while not (locks.exists() and any(locks.iterdir())):
        assert time.monotonic() < deadline
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    said = run(folder, *TARGET, check=False)
    assert "Directory cannot be locked" in said
    assert "no other instances of snakemake are running on this directory" in " ".join(said.split())
    assert "Traceback" not in said
    assert first.wait() == 0, first.communicate()
    assert planned(folder, *TARGET) == {}


ODD = ["a;touch x", "$(touch x)", "`touch x`", "it's", 'say "x"', "ümlaut 数", "-rf", "a&b|c",
       "100%", "*", "~", "#1", "a b", "a\\b", "NA", "1e5", "True", "[a-b]",
       "not here", "%s", "=1+1"]  # fmt: skip


def odd_config(folder, names):
    for i, name in enumerate(names):
        (folder / "odd images" / name).mkdir(parents=True)
        for j in range(5):
            tones = np.full((8, 8), 10 * i + j, np.uint8)
            Image.fromarray(tones).save(folder / "odd images" / name / f"{j};$(touch x) '\".png")
    entry = {"kind": "image_folder", "path": "odd images", "size": 8, "mode": "L"}
    experiment = {"dataset": "odd", "normals": "each", "methods": ["pixels"]}
    return overlay(folder, "odd.yaml", {
        "datasets": {"glyphs": {"per_class": 20}, "odd": entry},
        "experiments": {"odd": experiment}, "run": ["odd"],
    })  # fmt: skip


def test_odd_class_names_are_planned(tmp_path):
    folder = copy_of_the_repository(tmp_path / "it's $(touch x); ümlaut")
    jobs = planned(folder, config=odd_config(folder, ODD))
    assert jobs["bank"] == jobs["score"] == len(ODD)
    assert not list(tmp_path.rglob("x"))


@LONG
def test_odd_class_names_are_only_names(tmp_path):
    """Every class is a folder of that very name, every image a row; nothing was run."""
    folder = copy_of_the_repository(tmp_path / "it's $(touch x); ümlaut")
    run(folder, config=odd_config(folder, ODD[:8]))
    for name in ODD[:8]:
        scores = pd.read_csv(
            folder / f"results/scores/odd/{name}/pixels/test/seed0.csv", keep_default_na=False,
            dtype=str,
        )  # fmt: skip
        assert set(scores["class"]) == set(ODD[:8])
        assert set(scores.loc[scores["is_anomaly"] == "False", "class"]) == {name}
    assert not list(tmp_path.rglob("x"))


@LONG
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(tmp_path):
    """All of it at once: snakemake and its jobs, as when a machine loses power."""
    experiment = {"dataset": "digits", "normals": ["3"], "methods": ["pixels", "fitymi_digits"],
                  "drawings": ["per_class", "fidelity_curves"]}  # fmt: skip
    undisturbed, folder = (copy_of_the_repository(tmp_path / name) for name in ("one", "two"))
    for place in (undisturbed, folder):
        config = overlay(place, "small.yaml", {"experiments": {"toy": experiment}})
    began = time.monotonic()
    run(undisturbed, config=config)
    seconds = time.monotonic() - began
    chance = np.random.default_rng(0)
    command = [*SNAKEMAKE, "--cores", "2", "--configfile", config, "--rerun-incomplete"]
    kills = 0
    while kills < max(2, REPEATS // 4):
        job = subprocess.Popen(command, cwd=folder, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            job.wait(chance.uniform(4, 4 + seconds / 2))
            break  # all is done
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
            kills += 1
        run(folder, "--unlock", config=config)
    assert kills
    run(folder, "--rerun-incomplete", config=config)
    assert digests(folder) == digests(undisturbed)
    assert "Nothing to be done" in run(folder, config=config)
    assert not list((folder / "results").rglob("*.part"))
