"""The protocols of the papers as they stand in the catalog: planned, and fetched before a run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nearnd import plugins

ROOT = Path(__file__).parents[1]
GATED = ["mvtec_anomaly_detection.tar.xz", "dataset2.zip"]
STATED = ["NEEDS", "CLASSES", "ARCHIVES", "LINKS", "LICENCE", "GATED", "SPLITS", "FILES",
          "ONE_MODEL", "TOY", "MAKES", "READS"]  # fmt: skip


@pytest.mark.parametrize("stage", plugins.STAGES)
def test_what_a_plugin_states_can_be_read_without_importing_it(stage):
    for kind in plugins.available(stage):
        for name in STATED:
            try:
                plugins.constant(stage, kind, name)
            except ValueError:
                pytest.fail(f"nearnd/{stage}/{kind}.py: {name} is not a literal")


def planned(folder: Path, target: str) -> dict[str, int]:
    """Rule -> number of jobs of a run of several protocols."""
    command = [sys.executable, "-m", "snakemake", "-n", "-s", str(ROOT / "Snakefile"), target,
               "--directory", str(folder), "--configfile", str(folder / "config.yaml")]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M)}


def test_prefetch_fetches_all_that_a_run_fetches(tmp_path):
    """Whatever a run takes from elsewhere, prefetch takes before: archives of test sets, of copies'
    clean sets and of gated sets, weights of detectors, monitors and closeness."""
    (tmp_path / "mirror").mkdir()
    for name in GATED:
        (tmp_path / "mirror" / name).write_bytes(b"")
    run = {"run": ["cifar10", "cifar10_fsde", "mnist_corrupted", "mvtec_bottle", "weather"],
           "mirrors": [str(tmp_path / "mirror")]}  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(run))
    whole, before = planned(tmp_path, "all"), planned(tmp_path, "prefetch")
    # CIFAR-10, CIFAR-100, FSDE, four files of MNIST and one of MNIST-C, MVTec AD, Weather
    assert before["fetch"] == whole["fetch"] == 10
    assert before["backbone"] == whole["backbone"] == 3  # ViT-B/16, WideResNet-50, Inception
    assert set(before) == {"fetch", "backbone", "prefetch", "total"}


def test_every_selection_says_what_it_is_and_how_to_run_it():
    for file in sorted((ROOT / "config").glob("*.yaml")):
        assert file.read_text().startswith("# "), file.name
