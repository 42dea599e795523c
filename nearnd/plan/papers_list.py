"""The papers' tables and figures: what each needs, how much of it can be filled, what is here."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from nearnd import papers, plugins
from nearnd.files.paths import path
from nearnd.plan import estimate, targets
from nearnd.plan.dataset_sizes import options
from nearnd.plan.job_cost import JobCost
from nearnd.plan.run import Run
from nearnd.report import reads

EMPTY = "-"
ABOUT = """\
# Tables and figures of the papers

`snakemake fitymi_table_1c` makes one of them, `snakemake fitymi` all of a paper, `snakemake
list_papers` says what is here already; `config/catalog/papers.yaml` has what stands where. This file is
`results/papers.md` of the default config (a test looks).

- **data** are entries of `datasets.yaml`, **weights** of `backbones.yaml`.
- **GPU hours** are for one seed, on the GPU that `snakemake estimate` assumes; what several targets
  share counts in each of them.
- **cells**: how many have a number of ours once all is computed, of how many. The others are "-", with
  the reason below the table.
- **published**: numbers of the paper that stand beside ours.
"""  # noqa: E501


def rows(config: dict[str, Any], jobs: dict[str, list]) -> pd.DataFrame:
    """One row for each table and figure: target, what, data, weights, GPU hours, cells, published;
    nothing in it depends on the machine but the sizes of sets that only a decoding tells.

    jobs  {target: rows of rule, wildcards, number}, of `job_graph`
    """
    rates, cost, found = estimate.read_rates(), JobCost(config), []
    for name, entry in in_order(config):
        line = {"target": name, "what": words(name, config)}
        if "missing" in entry:
            found.append(line | {"what": f"{line['what']} (not yet: {entry['missing']})"})
            continue
        run = Run(config | {"run": [name], "seeds": config["seeds"][:1]})
        hours = estimate.costs(estimate.counter(jobs.get(name, [])), cost, rates)["gpu_h"].sum()
        ours, cells, published = filled(run, name, promised(run, name))
        found.append(line | {
            "data": ", ".join(short(sorted(run.datasets))),
            "weights": ", ".join(n for n in sorted(run.backbones)
                                 if "dataset" not in run.config["backbones"][n]),
            "GPU hours": f"{hours:.0f}" if hours >= 9.5 else f"{hours:.1f}",
            "cells": f"{ours} of {cells}" if cells else "",
            "published": f"{published}" if cells else "",
        })  # fmt: skip
    return pd.DataFrame(found).fillna("")


def in_order(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The entries, paper by paper, tables before figures, 9 before 10."""

    def place(item):
        parts = [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", item[0])]
        paper = papers.parts_of(item[0])[0]
        return paper, "figure" in item[0], "appendix" in item[0], [str(p).zfill(3) for p in parts]

    return sorted(config["papers"].items(), key=place)


def words(name: str, config: dict[str, Any]) -> str:
    """What a target shows."""
    return config["papers"][name].get("label", "")


def short(names: list[str]) -> list[str]:
    """Names with those of a family in one word: mvtec_* (15)."""
    families = Counter(name.partition("_")[0] for name in names)
    many = {family: n for family, n in families.items() if n > 5}
    said = [n if n.partition("_")[0] not in many else f"{n.partition('_')[0]}_*" for n in names]
    return [f"{n} ({many[n[:-2]]})" if n[:-2] in many and n.endswith("_*") else n
            for n in dict.fromkeys(said)]  # fmt: skip


def here(config: dict[str, Any], name: str) -> dict[str, str]:
    """How many of a target's experiments have their numbers, and how many cells that fills."""
    run = Run(config | {"run": [name]})
    parts = run.parts(name)
    files = {part: Path(path("metrics", experiment=part)) for part in parts}
    done = sum(file.is_file() for file in files.values())
    found = {"here": f"{done} of {len(parts)} experiments" if parts else ""}
    if is_table(run, name):
        filled_here = filled(run, name, stored(run, name))[0] if done else 0
        found["filled"] = f"{filled_here}"
    return found


def is_table(run: Run, name: str) -> bool:
    """Whether a target is a table of cells: a drawing that reads published numbers."""
    reading = run.literal("drawings", name, "READS", [])
    return "published" in reading and run.literal("drawings", name, "MAKES") == "table"


def filled(run: Run, name: str, data: dict[str, Any]) -> tuple[int, int, int]:
    """How many cells of a table have a number, how many it has, and how many a published one."""
    if not is_table(run, name):
        return 0, 0, 0
    table = plugins.build("tables_figures", run.entry("drawings", name))(data)
    cells = table.drop(columns=["row", "runs"]).to_numpy().ravel()
    ours = sum(not str(cell).startswith(EMPTY) for cell in cells)
    return ours, len(cells), sum("[" in str(cell) for cell in cells)


def stored(run: Run, name: str) -> dict[str, Any]:
    """The data of a table, as far as its files are here."""
    about = targets.drawing(run, name, name)
    there = {
        what: [s for s in sources if all(Path(f).is_file() for f in reads.files({what: [s]}))]
        for what, sources in about["sources"].items()
        if what != "paired"  # marks fill no cell
    }
    return reads.load(about | {"sources": there})


def promised(run: Run, name: str) -> dict[str, Any]:
    """The data of a table as they will be when its experiments have run, with a made-up number in
    the place of each: to count cells, nothing of it is shown."""
    metrics, slices, close, fakes = [], [], [], []
    closest = run.config["drawings"][name].get("closest", {})
    for part in run.parts(name):
        spec = run.experiment(part)
        rest = {"seed": 0, "value": 0.5}
        for each in run.runs(part):
            method = run.config["methods"][each["method"]].get("row", each["method"])
            base = {"dataset": each["dataset"], "normal": each["normal"], "method": method}
            test = base | {"test": each["images"], **rest}
            metrics += [test | {"metric": m, "anomaly": "rest"} for m in spec["metrics"]]
            anomalies = {"x", each["normal"], closest.get(each["normal"], "x")}
            metrics += [test | {"metric": "auroc", "anomaly": a} for a in sorted(anomalies)]
            for corruption in corruptions(run, each) if each["images"] in run.copies(part) else []:
                slices.append(test | {"metric": "auroc", "corruption": corruption, "severity": 1})
            if "closeness" in spec:
                near = {"test": each["images"], "anomaly": "x", "closeness": 1.0}
                close.append({k: base[k] for k in ("dataset", "normal")} | near)
        for method in run.fakes_behind(spec["methods"]):
            if run.fakes_behind([method])[method] in run.generated(part):
                row = run.config["methods"][method].get("row", method)
                measured = dict.fromkeys(plugins.available("fidelity"), 0.5)
                fakes += [t | {"method": row} | measured for t in run.tasks(part)]
    tables = {"metrics": metrics, "slices": slices, "closeness": close, "fakes": fakes}
    data = {what: pd.DataFrame(found).drop_duplicates() if found else None
            for what, found in tables.items()}  # fmt: skip
    about = targets.drawing(run, name, name)
    return data | {"published": reads.published([]), "labels": about["labels"]}


def corruptions(run: Run, each: dict[str, Any]) -> list[str]:
    """Those of a changed copy, as far as its entry or its kind names them."""
    dataset = each["images"].removesuffix(".test")
    named = options(run.config, "datasets", dataset).get("corruptions")
    return named or run.literal("datasets", dataset, "CORRUPTIONS", ["any"])


def text(config: dict[str, Any], jobs: dict[str, list]) -> str:
    """One line for each target, with what is here."""
    table = rows(config, jobs)
    there = [here(config, n) if "missing" not in e else {} for n, e in in_order(config)]
    whole = pd.concat([table, pd.DataFrame(there).fillna("")], axis=1)
    whole["data"] = [_cut(words) for words in whole["data"]]
    return whole.to_markdown(index=False, tablefmt="simple", disable_numparse=True)


def _cut(words: str, most: int = 60) -> str:
    return words if len(words) <= most else f"{words[:most].rpartition(',')[0]}, ..."


def document(config: dict[str, Any], jobs: dict[str, list]) -> str:
    """docs/PAPERS.md: the part of the listing that is the same on every machine."""
    lines, table = [ABOUT], rows(config, jobs)
    for paper in dict.fromkeys(papers.parts_of(name)[0] for name in table["target"]):
        own = table[[papers.parts_of(name)[0] == paper for name in table["target"]]]
        lines += [f"## {paper.upper()}", own.to_markdown(index=False, disable_numparse=True)]
    return "\n\n".join(lines) + "\n"
