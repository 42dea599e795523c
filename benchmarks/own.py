"""Everybody's folder, from nothing to scores: seconds, and what each method finds.

    python benchmarks/own.py [--train 400] [--test 100] [--network focus_s] [--folder DIR]

Makes the folder of bricks with drawn scratches and blots (tests/bricks.py) and runs config/own.yaml
on it as a user would, once the weights are fetched. The goals: three minutes on two quiet cores,
AUROC 95 by the best method, 90 over pixels by the best map. With --folder results stay there; a
folder that has some goes on from them, so that seconds are those of what was left to do. --network
is an entry of backbones in place of DINOv2 or EfficientNet-Lite0, whichever can be had.
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

NETWORK = "dinov2_or_lite"  # of the methods of own.yaml
DRAWINGS = ["contact_sheet", "defects", "anomaly_maps", "localisation"]  # bricks have masks


def snakemake(folder: Path, cores: int, *targets: str) -> float:
    """Seconds of a run in that folder."""
    configs = [str(ROOT / "config/own.yaml"), str(folder / "more.yaml")]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--cores", str(cores), *targets, "--configfile"]
    began = time.perf_counter()
    subprocess.run([*command, *configs], check=True)
    return time.perf_counter() - began


def measure(folder: Path, train: int, test: int, cores: int, network: str) -> pd.DataFrame:
    """A row for each method: AUROC of each kind of defect and over pixels, in percent."""
    if not (folder / "images").exists():
        bricks(folder / "images", train, test)
    more = {"experiments": {"own": {"drawings": DRAWINGS}}}
    if network != NETWORK:
        more["backbones"] = {NETWORK: {"like": network}}
    (folder / "more.yaml").write_text(yaml.safe_dump(more))
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
    parser.add_argument("--network", default=NETWORK)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        table = measure(folder, args.train, args.test, args.cores, args.network)
        print(table.to_markdown())


if __name__ == "__main__":
    main()
