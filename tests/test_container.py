"""The containers and the hub's checks, without Docker, conda and the hub: what they name is there,
and their steps do here what they say."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from toy import ROOT, SNAKEMAKE

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
SAID = {"capture_output": True, "text": True}
STEPS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and line[0] != "#"]
JOBS = yaml.safe_load((ROOT / ".github/workflows/main.yml").read_text())["jobs"]
CONDA = """#!/bin/sh
case "$1" in
  info) echo '{"conda_prefix": "/opt/conda", "platform": "linux-64"}';;
  config) echo '{"get": {"channel_priority": "strict"}}';;
  *) echo "conda 99.0.0";;
esac
"""


def stand_in(folder, name, text):
    """A command of that name in a folder; the environment in which it is found first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def copied(tmp_path):
    """What COPY takes of what the steps need."""
    left_out = (ROOT / ".dockerignore").read_text().split()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "README.md", "nearnd"):
        if name not in left_out:
            (shutil.copytree if name == "nearnd" else shutil.copy)(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_steps_of_the_dockerfile_work_on_what_it_copies(copied):
    kinds = [kind for kind, _ in STEPS]
    assert kinds == ["FROM", "RUN", "WORKDIR", "COPY", "RUN", "CMD"]
    assert [rest for kind, rest in STEPS if kind == "COPY"] == [". ."]
    base = re.fullmatch(r"python:3\.(\d+)-slim", STEPS[0][1])
    assert int(base[1]) >= 11  # pyproject.toml
    installed = [rest for kind, rest in STEPS if kind == "RUN"][1]
    assert installed.startswith("make ")
    for command, says in (
        (installed.split(), ("-m venv .venv", "--constraint constraints.txt")),
        (yaml.safe_load(STEPS[-1][1]), ("snakemake --cores all", "--report results/report.html")),
    ):
        dry = [*command, "--dry-run", "PYTHON=python3"]
        done = subprocess.run(dry, cwd=copied, **SAID)
        assert done.returncode == 0, done.stderr
        assert all(words in done.stdout for words in says)


def test_containerize_gives_an_image_with_every_environment(tmp_path):
    """snakemake asks conda for no more than what it is; the environments are not built."""
    command = [*SNAKEMAKE, "--containerize", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", tmp_path]
    conda = stand_in(tmp_path / "bin", "conda", CONDA)
    done = subprocess.run(command, env=conda, cwd=tmp_path, **SAID)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line and line[0] != "#"]
    copied = {line.split()[2]: (tmp_path / line.split()[1]).resolve() for line in lines
              if line.startswith("COPY")}  # fmt: skip
    assert sorted(copied.values()) == sorted((ROOT / "envs").glob("*.yaml"))
    assert all(f"--file {target}" in done.stdout for target in copied)
    assert lines[0].startswith("FROM condaforge/")


@pytest.mark.parametrize("broken", [None, "config/wbc.yaml"])
def test_the_hub_plans_every_selection_and_stops_at_one_that_cannot_be(tmp_path, broken):
    steps = [step["run"] for step in JOBS["plans"]["steps"] if "run" in step]
    (loop,) = [step for step in steps if "config/*.yaml" in step]
    (tmp_path / "config").mkdir()
    for file in (ROOT / "config").glob("*.yaml"):
        (tmp_path / "config" / file.name).touch()
    record = f'#!/bin/sh\necho "$3" >> seen\n[ "$3" != "{broken}" ]\n'
    stand_in(tmp_path / ".venv/bin", "snakemake", record)
    done = subprocess.run(["bash", "-e", "-c", loop], cwd=tmp_path)  # as the hub runs steps
    assert (done.returncode == 0) == (broken is None)
    seen = (tmp_path / "seen").read_text().split()
    if broken is None:
        assert seen == sorted(f"config/{file.name}" for file in (ROOT / "config").glob("*.yaml"))
    else:
        assert seen[-1] == broken


def test_the_hub_gives_its_steps_no_more_than_they_need():
    whole = yaml.safe_load((ROOT / ".github/workflows/main.yml").read_text())
    assert whole["permissions"] == {"contents": "read"}
    for job in JOBS.values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert len({"run", "uses"} & step.keys()) == 1
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"] == {"persist-credentials": False}
    report = "\n".join(step.get("run", "") for step in JOBS["plans"]["steps"])
    assert "--cores all --configfile tests/toy.yaml" in report
    assert "--report report.html --configfile tests/toy.yaml" in report
