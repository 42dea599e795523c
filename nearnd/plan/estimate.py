"""What a run would take: hours of a GPU and of processor cores, and room on the disk.

Costs (job_cost.py) over rates (resources/rates.csv). The rates of a core were measured; those of a
GPU are an assumption, since no run of ours has had one.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from nearnd.plan.dataset_sizes import RESOURCES, UNKNOWN
from nearnd.plan.job_cost import Cost, JobCost

ORDER = [
    "fetch", "images", "backbone", "generator", "fakes", "sampler", "detector", "features",
    "features_elsewhere", "bank", "score", "closeness", "metrics", "table", "figure",
]  # fmt: skip
ON_GPU = {"backbone", "generator", "fakes", "sampler", "detector", "features", "features_elsewhere"}
START = {  # what a job imports before its work begins; tables where nothing is said
    "backbone": "timm", "detector": "timm", "features": "timm", "features_elsewhere": "timm",
    "generator": "timm", "sampler": "timm", "fakes": "torch", "figure": "figure",
    "closeness": "sklearn",
}  # fmt: skip

Job = tuple[str, tuple[tuple[str, str], ...]]  # the rule, and its wildcards sorted by name


def counter(jobs: Iterable[tuple]) -> Counter[Job]:
    """From rows of rule, pairs of wildcards, and how many jobs are alike."""
    return Counter({(rule, tuple(map(tuple, pairs))): n for rule, pairs, n in jobs})


def read_rates(file: Path = RESOURCES / "rates.csv") -> dict[str, float]:
    """{name: value}; what they are, and of which machine, stands in the file."""
    with open(file, newline="", encoding="utf-8") as rows:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(rows)}


def core_seconds(rule: str, cost: Cost, rates: dict[str, float]) -> float:
    """Of one job on one core without a GPU."""
    time = rates[f"start_{START.get(rule, 'tables')}"]
    for part in cost.parts:
        time += part.flops / rates[f"{part.what}_rate"]
        time += part.calls * rates.get(f"{part.what.removesuffix('_small')}_call", 0.0)
    return time + cost.images * rates["image"] + cost.rows * rates["row"]


def gpu_seconds(rule: str, cost: Cost, rates: dict[str, float]) -> float:
    """Of one job on the assumed GPU; 0 for jobs that do not compute on one."""
    if rule not in ON_GPU:
        return 0.0
    rate = rates["gpu_peak"] * rates["gpu_utilisation"]
    time = rates[f"start_{START[rule]}"]
    return time + sum(p.flops / rate + p.calls * rates["gpu_call"] for p in cost.parts)


def costs(jobs: Counter[Job], job_cost: JobCost, rates: dict[str, float]) -> pd.DataFrame:
    """One row for each rule: rule, jobs, gpu_h, cpu_h, alone_h, gb, unknown.

    jobs     how many there are of each; those that differ by seed or class alone are one key
    gpu_h    hours of one GPU;  cpu_h  core-hours of the jobs beside it, which use none
    alone_h  core-hours of all jobs without a GPU;  gb  what is kept, in 10^9 bytes
    unknown  entries, separated by commas, whose jobs count in `jobs` and in no other column
    """
    rows: dict[str, list[float]] = {}
    unknown: dict[str, set[str]] = {}
    for (rule, wildcards), n in jobs.items():
        cost = job_cost.cost(rule, dict(wildcards))
        new = [float(n), 0.0, 0.0, 0.0, 0.0]
        if cost.unknown:
            unknown.setdefault(rule, set()).add(cost.unknown)
        else:
            alone, gpu = core_seconds(rule, cost, rates), gpu_seconds(rule, cost, rates)
            cpu = alone if rule not in ON_GPU else 0.0
            new = [n, n * gpu / 3600, n * cpu / 3600, n * alone / 3600, n * cost.kept / 1e9]
        rows[rule] = [a + b for a, b in zip(rows.get(rule, [0.0] * 5), new, strict=True)]
    rows = {rule: rows[rule] for rule in [*ORDER, *rows] if rule in rows}
    hours = sum(jobs.values()) * rates["schedule"] / 3600
    rows["snakemake itself"] = [0, 0.0, hours, hours, 0.0]
    table = pd.DataFrame.from_dict(rows, "index", columns=["jobs", *COLUMNS]).rename_axis("rule")
    table["unknown"] = [", ".join(sorted(unknown.get(rule, ()))) for rule in table.index]
    return table.reset_index().astype({"jobs": int})


COLUMNS = ["gpu_h", "cpu_h", "alone_h", "gb"]
HEADS = ["jobs", "GPU hours", "core-hours beside it", "core-hours without GPU", "GB"]

NOTE = """\
GPU hours are an assumption, not a measurement: of {peak:.0f} TFLOP/s (published, bfloat16, dense)
{share:.0%} are reached, and a call of a network takes {call:.0f} ms at least. No run of ours had
a GPU. Core-hours are from rates measured on {machine}.
It has matrix units: a ViT-B/16 in float32 takes 2.4 times as long. Where we could compare, whole
stages took between half and twice the estimate. A network or score unlike those measured
(sklearn's, the adaptive sampler, whose calls are guessed low) may be further off.
Generators are counted to their last step where `until` reads distances: an early end makes it less.
While it trains, a network keeps up to 5 times its weights more on the disk. GB of `fetch` are those
that are known."""


def text(
    parts: dict[str, Counter[Job]], whole: Counter[Job], config: dict, missing: Iterable[str]
) -> str:
    """The estimate to print: by rule, by experiment, what it rests on, what is missing."""
    rates, job_cost = read_rates(), JobCost(config)
    stages = costs(whole, job_cost, rates).set_index("rule")
    total = _sum(stages)
    each = {name: _sum(costs(jobs, job_cost, rates)) for name, jobs in parts.items()}
    by_rule = pd.concat([stages, total.to_frame("total").T])
    by_experiment = pd.DataFrame(each | {"all, shared jobs once": total}).T
    lines = [_shown(by_rule, "stage"), _shown(by_experiment, "experiment"), _note(rates)]
    if total["unknown"]:
        lines.append(
            f"? Of {total['unknown']} it is unknown what they cost: their kinds state no `work`"
            " (nearnd/contracts.py). Their jobs are counted, their hours and GB are in no sum."
        )
    if guessed := job_cost.counts.guessed:
        lines.append(
            f"Of {', '.join(sorted(guessed))} the number of images is not known before they are"
            f" decoded: {UNKNOWN:,} for training and {UNKNOWN:,} for testing were assumed."
        )
    lines += [f"Before it can run: {sentence}" for sentence in missing]
    return "\n\n".join(lines)


def _sum(table: pd.DataFrame) -> pd.Series:
    """Of all rows; `unknown` has each entry once."""
    names = {name for cell in table["unknown"] for name in cell.split(", ") if name}
    return pd.Series({**table[["jobs", *COLUMNS]].sum(), "unknown": ", ".join(sorted(names))})


def _note(rates: dict[str, float]) -> str:
    with open(RESOURCES / "rates.csv", newline="", encoding="utf-8") as rows:
        machine = next(csv.DictReader(rows))["machine"]
    return NOTE.format(
        peak=rates["gpu_peak"] / 1e12, share=rates["gpu_utilisation"],
        call=1000 * rates["gpu_call"], machine=machine,
    )  # fmt: skip


def _shown(table: pd.DataFrame, index: str) -> str:
    shown = pd.DataFrame({"jobs": [f"{n:,.0f}" if n else "" for n in table["jobs"]]}, table.index)
    for column in COLUMNS:
        shown[column] = [_number(x) for x in table[column]]
    shown["jobs"] += ["?" if names else "" for names in table["unknown"]]
    shown = shown.set_axis(HEADS, axis=1).rename_axis(index).reset_index()
    align = ("left",) + ("right",) * len(HEADS)
    return shown.to_markdown(index=False, tablefmt="simple", colalign=align, disable_numparse=True)


def _number(x: float) -> str:
    return "" if x == 0 else f"{x:,.0f}" if x >= 100 else f"{x:.2g}" if x >= 0.01 else "<0.01"
