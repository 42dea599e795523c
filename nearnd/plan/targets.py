"""What a run makes: tables and figures, the summary, the costs, and the files to fetch for them."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from nearnd import papers, plugins
from nearnd.files.paths import path
from nearnd.plan import archives
from nearnd.plan.run import Run
from nearnd.report import reads


def drawings(run: Run, experiment: str) -> dict[str, str]:
    """{name of a drawing: its file} of an experiment."""
    names = run.experiment(experiment).get("drawings", [])
    made = {name: run.literal("drawings", name, "MAKES") for name in names}
    return {name: path(made[name], experiment=experiment, drawing=name) for name in names}


def named(run: Run, taken: set[str], papers_too: bool = True) -> dict[str, list[str] | str]:
    """{name of a target: its files}: every experiment of the run, and each table and figure of it;
    if `papers_too` each table and figure of a paper, and all of a paper. A name in `taken`, of a
    rule, is left to that rule."""
    targets: dict[str, list[str] | str] = {}
    for experiment in run.config["run"]:
        files = drawings(run, experiment)
        targets[experiment] = list(files.values())
        targets |= {f"{name}_{experiment}": file for name, file in files.items()}
    for name in papers.names(run.config, "") if papers_too else []:
        targets[name] = list(drawings(run, name).values())
        targets.setdefault(papers.parts_of(name)[0], []).extend(targets[name])
    return {name: files for name, files in targets.items() if name not in taken and files}


def asked_for(run: Run, asked: Iterable[str]) -> list[str]:
    """The experiments that targets on the command line are of: tables of papers and experiments are
    of themselves, whether the config runs them or not; others of all that it runs."""
    found: list[str] = []
    for target in asked:
        named = papers.names(run.config, target)
        named = named or ([target] if target in run.config["experiments"] else [])
        found += named or run.config["run"]
    return list(dict.fromkeys(found)) or run.config["run"]


def unknown(run: Run, target: str, known: Iterable[str]) -> ValueError:
    """The sentence about a target that there is not."""
    there, entry = set(known), run.config.get("papers", {}).get(target, {})
    if "missing" in entry:
        return ValueError(f"{target} cannot be made yet: {entry['missing']}")
    error = plugins.unknown("target", target, there, "snakemake")
    return ValueError(f"{error} `snakemake list_papers` lists those of the papers.")


@cache  # its rule asks for the files and for the words
def drawing(run: Run, experiment: str, name: str) -> dict[str, Any]:
    """Where a drawing's data lie, and the words in it: what `reads.load` takes."""
    parts = run.parts(experiment)
    names = [m for part in parts for m in run.experiment(part)["methods"]]
    methods = {m: run.config["methods"][m] for m in dict.fromkeys(names)}
    # over several datasets a method is called like its row
    rows = {m: spec.get("row", m) for m, spec in methods.items()} if parts != [experiment] else {}
    labels: dict[str, str] = {}
    for m, spec in methods.items():
        labels.setdefault(rows.get(m, m), spec.get("label", m))
    return {
        "sources": reads.sources(run, experiment, run.literal("drawings", name, "READS", [])),
        "labels": labels,
        "rows": rows,
        "copies": list(dict.fromkeys(copy for part in parts for copy in run.copies(part))),
        "note": run.config["experiments"][experiment].get("note", ""),
    }


def drawing_files(about: dict[str, Any]) -> list[str]:
    """The files that a drawing reads."""
    return reads.files(about["sources"])


def caption(run: Run, base: str, name: str) -> str:
    """The words below a drawing in the report."""
    kind = run.config["drawings"][name]["kind"]
    file = Path(base, "workflow", "report", f"{kind}.rst")
    return file.read_text(encoding="utf-8") if file.exists() else ""  # yet to be written


def summary(run: Run) -> list[dict[str, Any]]:
    """The metrics and the closeness of every experiment of the run that compares methods."""
    return [
        {
            "dataset": run.experiment(name)["dataset"],
            "metrics": path("metrics", experiment=name),
            "slices": path("slices", experiment=name),
            "paired": path("paired", experiment=name),
            "closeness": reads.READS["closeness"].sources(run, name),
            "group": run.experiment(name).get("group"),
        }
        for name in run.experiments
        if run.experiment(name)["methods"]  # else it compares samplers
    ]


def labels(run: Run) -> dict[str, str]:
    """What the methods of the summary are called."""
    names = [m for name in run.experiments for m in run.experiment(name)["methods"]]
    return {m: run.config["methods"][m].get("label", m) for m in dict.fromkeys(names)}


def summary_files(run: Run) -> list[str]:
    """What the summary reads."""
    files = []
    for source in summary(run):
        files += [source[what] for what in ("metrics", "slices", "paired")]
        files += [s["file"] for s in source["closeness"]]
    return list(dict.fromkeys(files))


def costs(run: Run) -> list[reads.Source]:
    """The measured times and memory of every generator of the run."""
    found = {}
    for experiment in run.experiments:
        for generator in run.generated(experiment).values():
            for task in run.tasks(experiment):
                names = task | {"generator": generator}
                file = path("generator", **names) + "/cost.tsv"
                found[file] = names | {"file": file}
    return list(found.values())


def whole(run: Run) -> list[str]:
    """All that a run makes."""
    made = [path("summary")] if summary(run) else []
    made += [path("costs")] if costs(run) else []
    return made + [file for name in run.config["run"] for file in drawings(run, name).values()]


def fetched(run: Run) -> list[str]:
    """The records of all archives and files from outside, and the backbones that are fetched."""
    outside = [place for each in run.named for place in run.outside(*each).values()]
    named = [f"{place}.json" for place, archive in outside if archive]
    records = [r for name in run.datasets for r in archives.records(run.config, name).values()]
    fetched = [n for n in run.backbones if "dataset" not in run.config["backbones"][n]]
    weights = [run.backbone(name, 0) for name in fetched]
    return named + records + weights
