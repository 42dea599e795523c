"""The command `nearnd`: results in the terminal, and trained methods on new images.

nearnd show                                          the summary table
nearnd export own normal fitymi_small32 model        a trained method into the folder model/
nearnd score model pictures --out scores.csv         new images with it
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from nearnd.files.paths import RESULTS, path
from nearnd.files.tables import load_table

SUMMARY = Path(path("summary"))


def show(folder: Path = Path()) -> str:
    """The summary table in percent, and where the rest lies."""
    summary, index = folder / SUMMARY, ["dataset", "method", "test", "runs"]
    if not summary.parent.exists():
        raise ValueError(f"there is no {summary} yet: run `snakemake --cores all` first")
    table = load_table(summary, *index, "metric", "mean", "sd") if summary.exists() else None
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
    places = {name: RESULTS / name for name in ("tables", "figures", "scores")}
    places["report"] = Path(path("report"))
    found = [f"  {name:8s} {at}" for name, at in places.items() if (folder / at).exists()]
    return f"{wide}\n(percent; ± over seeds)\n\n" + "\n".join(found)


def export_method(options) -> str:
    """A trained method into a folder of its own (model_folder.py)."""
    import yaml

    from nearnd import catalog
    from nearnd.plan.export import export
    from nearnd.plan.run import Run

    folder = Path(__file__).parents[1] / "config"
    files = (folder / "config.yaml", *options.configfile)
    config = catalog.whole(
        folder / "catalog", *(yaml.safe_load(f.read_text(encoding="utf-8")) or {} for f in files)
    )
    task = (options.dataset, options.normal, options.method, options.seed)
    return export(Run(config), *task, options.folder)


def score(options) -> str:
    """Scores of new images, as a table or a csv file."""
    from nearnd.files.image_folders import nothing, pictures
    from nearnd.files.tables import save_table
    from nearnd.report import model_folder

    if options.images.is_file():
        files = [options.images]
    else:
        files = sorted(pictures(options.images, True)) if options.images.is_dir() else []
    if not files:
        exists = options.images.exists()
        raise ValueError(nothing(options.images) if exists else f"there is no {options.images}")
    root = options.images if options.images.is_dir() else options.images.parent
    sources = [(file.relative_to(root).as_posix(), file) for file in files]
    table = model_folder.score_images(options.model, sources, options.quantile)
    flagged = f"{table['anomalous'].sum()} of {len(table)} images are above the threshold"
    if options.out:
        save_table(options.out, table)
        return f"{flagged}; {options.out}"
    return f"{table.sort_values('score', ascending=False).to_markdown(index=False)}\n{flagged}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="nearnd", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("show", help="print the summary table and where the rest lies")
    one.add_argument("folder", nargs="?", type=Path, default=Path(), help="where results/ lies")
    one.set_defaults(run=lambda options: show(options.folder))
    two = commands.add_parser("export", help="put a trained method into a folder of its own")
    two.add_argument("dataset")
    two.add_argument("normal", help="the class that is normal, not-<class>, or all")
    two.add_argument("method")
    two.add_argument("folder", type=Path, help="where to put it")
    two.add_argument("--seed", type=int, default=0)
    two.add_argument("--configfile", type=Path, nargs="+", default=[], help="those of the run")
    two.set_defaults(run=export_method)
    three = commands.add_parser("score", help="score new images with an exported method")
    three.add_argument("model", type=Path, help="the folder that export made")
    three.add_argument("images", type=Path, help="an image or a folder of images")
    three.add_argument("--out", type=Path, help="a csv file; without it the table is printed")
    three.add_argument(
        "--quantile", type=float, default=0.95,
        help="share of new normal images that shall stay below the threshold (0.95)",
    )  # fmt: skip
    three.set_defaults(run=score)
    options = parser.parse_args(argv)
    try:
        print(options.run(options))
    except ValueError as error:
        print(f"nearnd: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
