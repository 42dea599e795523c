"""`nearnd show`: the results of this folder, in the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from nearnd.tables import load_table

SUMMARY = Path("results/tables/summary.csv")


def show(folder: Path = Path()) -> str:
    """The summary table in percent, and where the rest lies."""
    if not (folder / SUMMARY).parent.exists():
        raise ValueError(f"there is no {folder / SUMMARY} yet: run `snakemake --cores all` first")
    index = ["dataset", "method", "test", "runs"]
    made = (folder / SUMMARY).exists()
    table = load_table(folder / SUMMARY, *index, "metric", "mean", "sd") if made else None
    if table is None:
        wide = "There is no summary: no methods were compared, or the run is not finished."
    elif table.empty:
        wide = "No test set held anomalies, so there is nothing to average; see results/scores."
    else:
        # of the slices of a corrupted test set their mean alone: the others would fill pages
        test = table["test"].str
        table = table[~test.contains("/") | test.endswith("/mean")].copy()
        table["value"] = [
            f"{100 * m:.1f}" + (f" ± {100 * s:.1f}" if pd.notna(s) else "")
            for m, s in zip(table["mean"], table["sd"], strict=True)
        ]
        order = table[index].drop_duplicates()
        wide = table.pivot(index=index, columns="metric", values="value").fillna("")
        wide = wide[list(dict.fromkeys(table["metric"]))].reset_index()
        wide = order.merge(wide, on=index).to_markdown(index=False)
    places = {
        "tables": "results/tables", "figures": "results/figures", "scores": "results/scores",
        "report": "results/report.html",
    }  # fmt: skip
    found = [f"  {name:8s} {path}" for name, path in places.items() if (folder / path).exists()]
    return f"{wide}\n(percent; ± over seeds)\n\n" + "\n".join(found)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="nearnd", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("show", help="print the summary table and where the rest lies")
    one.add_argument("folder", nargs="?", type=Path, default=Path(), help="where results/ lies")
    one.set_defaults(run=lambda options: show(options.folder))
    options = parser.parse_args(argv)
    try:
        print(options.run(options))
    except ValueError as error:
        print(f"nearnd: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
