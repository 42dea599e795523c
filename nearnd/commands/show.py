"""The summary table in the terminal."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "print the summary table and where the rest lies"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where results/ lies")


def run(options: Namespace) -> None:
    print(show(options.folder))


def show(folder: Path = Path()) -> str:
    """The summary table in percent, and where the rest lies."""
    import pandas as pd

    from nearnd.files.paths import RESULTS, path
    from nearnd.files.tables import load_table
    from nearnd.report import words
    from nearnd.report.found import whole_tests

    note = "(percent; ± over seeds; images: of the smaller group, on few a number says little)\n"
    summary, index = folder / path("summary"), ["dataset", "method", "test", "images", "runs"]
    if not summary.parent.exists():
        raise ValueError(f"there is no {summary} yet: run `snakemake --cores all` first")
    table = load_table(summary, *index, "metric", "mean", "sd") if summary.exists() else None
    if table is None:
        wide = "There is no summary: no methods were compared, or the run is not finished."
    elif table.empty:
        wide = "No test set held anomalies, so there is nothing to average; see results/scores."
    else:
        table = whole_tests(table)
        table["value"] = [
            f"{100 * m:.1f}" + (f" ± {100 * s:.1f}" if pd.notna(s) else "")
            for m, s in zip(table["mean"], table["sd"], strict=True)
        ]
        order = table[index].drop_duplicates()
        wide = table.pivot(index=index, columns="metric", values="value").fillna("")
        wide = wide[list(dict.fromkeys(table["metric"]))]
        wide = wide.rename(columns=words.metric).reset_index()
        wide = order.merge(wide, on=index).to_markdown(index=False, floatfmt=".1f")
    places = {name: RESULTS / name for name in ("tables", "figures", "scores")}
    places["report"] = Path(path("report"))
    found = [f"  {name:8s} {at}" for name, at in places.items() if (folder / at).exists()]
    note = note if wide.startswith("|") else ""
    return f"{wide}\n{note}\n" + "\n".join(found)
