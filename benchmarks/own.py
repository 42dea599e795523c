"""Everybody's folder, from nothing to scores: seconds, and what each method finds.

    python benchmarks/own.py [--train 400] [--test 100] [--cores 2] [--folder DIR]

Makes the folder of bricks with drawn scratches and blots (tests/bricks.py) and runs config/own.yaml
on it as a user would, once the weights are fetched. The goals: three minutes on two quiet cores,
AUROC 95 by the best method, 90 over pixels by the best map. With --folder results stay there; a
folder that has some goes on from them, so that seconds are those of what was left to do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bricks import bricks  # noqa: E402

# AUROC over pixels beside what own.yaml draws: bricks have masks
MORE = {"experiments": {"own": {"drawings": ["contact_sheet", "defects", "anomaly_maps",
                                             "localisation"]}}}  # fmt: skip


def snakemake(folder: Path, cores: int, *targets: str) -> float:
    """Seconds of a run in that folder."""
    configs = [str(ROOT / "config/own.yaml"), str(folder / "more.yaml")]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--cores", str(cores), *targets, "--configfile"]
    began = time.perf_counter()
    subprocess.run([*command, *configs], check=True)
    return time.perf_counter() - began


def measure(folder: Path, train: int, test: int, cores: int) -> pd.DataFrame:
    """A row for each method: AUROC of each kind of defect and over pixels, in percent."""
    if not (folder / "images").exists():
        bricks(folder / "images", train, test)
    (folder / "more.yaml").write_text(yaml.safe_dump(MORE))
    snakemake(folder, cores, "prefetch")
    seconds = snakemake(folder, cores)
    print(f"\n{seconds:.0f} s for {train} + {test} images on {cores} cores\n")
    tables = folder / "results/tables/own"
    found = pd.read_csv(tables / "defects.csv").set_index("anomaly").T
    pixels = pd.read_csv(tables / "localisation.csv").set_index("method")
    return found.join(pixels["mean"].rename("pixels"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--test", type=int, default=100)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        print(measure(folder, args.train, args.test, args.cores).to_markdown())


if __name__ == "__main__":
    main()
