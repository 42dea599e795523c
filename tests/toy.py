"""What tests of the whole workflow share: a copy of the repository, and snakemake in it."""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

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
