"""All benchmarks: prints a table, writes results.csv beside this file and the table into README.md.

python benchmarks/run.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path

import backbones
import beside
import busy
import coreset
import decoding
import methods
import neighbours
import pandas as pd
import score_sde
import torch

HERE = Path(__file__).parent
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def machine() -> str:
    """The processor, its cores and the version of torch."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model or platform.processor()}, {cores} cores, torch {torch.__version__}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rows = score_sde.measure(args.rounds, ("auto", "fp32"))
    rows += backbones.measure()
    rows += beside.measure()
    rows += busy.measure()
    rows += decoding.measure(500, args.rounds)
    rows += coreset.measure(args.rounds)
    rows += neighbours.measure(args.rounds, neighbours.thread_counts())
    timed, errors = methods.measure(1)
    rows += timed
    table = pd.DataFrame(rows, columns=["name", "value", "unit", "yardstick"])
    table.to_csv(HERE / "results.csv", index=False, float_format="%.4g")
    for column in ("value", "yardstick"):
        table[column] = [f"{v:.3g}" if v == v else "" for v in table[column]]
    text = table.to_markdown(index=False, disable_numparse=True)
    print(machine(), text, sep="\n\n")
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    readme.write_text(f"{before}{BEGIN}\n{machine()}\n\n{text}\n{END}{after}")
    if errors:
        sys.exit("\n".join(["not measured:", *errors]))


if __name__ == "__main__":
    main()
