"""The command `nearnd`: results in the terminal, and trained methods on new images.

nearnd show                                          the summary table
nearnd export own normal fitymi_small32 model        a trained method into the folder model/
nearnd score model pictures --out scores.csv         new images with it

It ends with 0; with 1 if nothing came of it; with 3 if all was done but for images that cannot be
scored, whose rows say why.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path

from nearnd import __version__

SOME = 3  # exit code: scores of some images are missing
SHOWN = 20  # rows of a table in the terminal


def show(folder: Path = Path()) -> str:
    """The summary table in percent, and where the rest lies."""
    import pandas as pd

    from nearnd.files.paths import RESULTS, path
    from nearnd.files.tables import load_table
    from nearnd.report import words

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
        # of the slices of a corrupted test set their mean alone: the others would fill pages
        test = table["test"].str
        table = table[~test.contains("/") | test.endswith("/mean")].copy()
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


def export_method(options) -> None:
    """A trained method into a folder of its own (report/model_folder.py)."""
    from nearnd.plan import given
    from nearnd.plan.export import export

    run = given.run(options.configfile, options.config)
    command = ["snakemake", "--cores", "all"]
    command += ["--configfile", *map(str, options.configfile)] if options.configfile else []
    command += ["--config", *options.config] if options.config else []
    task = (options.dataset, options.normal, options.method, options.seed)
    print(export(run, *task, options.folder, command=shlex.join(command)))
    print(f"next: nearnd score {shlex.quote(str(options.folder))} new_pictures --out scores.csv")


def score(options) -> int:
    """Scores of new images, as a table or a csv file."""
    from nearnd.files.image_folders import nothing, pictures, unread
    from nearnd.files.out import place, write
    from nearnd.report import model_folder
    from nearnd.report.conformal import promise

    facts = model_folder.read(options.model)
    images, folder = options.images, options.images.is_dir()
    if not folder and not images.exists():
        raise ValueError(f"there is no {images}")
    files = sorted(pictures(images, True)) if folder else [images]
    if not files:
        raise ValueError(nothing(images))
    words = promise(facts["held_out"], options.quantile)
    for stage in facts["changed"]:
        _say(f"the code of the {stage} has changed since the export: the threshold may not hold")
    if folder and (left := unread(images)):
        _say(f"not read, as their names are not those of images: {left}")
    root = images if folder else images.parent
    sources = [(file.relative_to(root).as_posix(), file) for file in files]
    out = place(options.out, [*files, *options.model.iterdir()]) if options.out else None
    table = model_folder.score_images(options.model, facts, sources, options.quantile)
    if out:
        write(out, table)
    else:
        highest = table.sort_values("score", ascending=False).astype(object).fillna("")
        print(highest.head(SHOWN).to_markdown(index=False))
        if len(table) > SHOWN:
            print(f"and {len(table) - SHOWN} more, that score less: --out scores.csv has all")
    bad = table["score"].isna().sum()
    above = f"{table['anomalous'].sum()} of {len(table) - bad} images are above the threshold"
    print(f"{above}; {options.out}" if out else above)
    print(words)
    if bad:
        _say(f"{bad} of {len(table)} images could not be scored; the column remark says why")
    return SOME if bad else 0


def _say(words: str) -> None:
    print(f"nearnd: {words}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    whole = argparse.ArgumentParser(
        prog="nearnd", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument("--version", action="version", version=f"nearnd {__version__}")
    commands = whole.add_subparsers(required=True)
    one = commands.add_parser("show", help="print the summary table and where the rest lies")
    one.add_argument("folder", nargs="?", type=Path, default=Path(), help="where results/ lies")
    one.set_defaults(run=lambda options: print(show(options.folder)))
    two = commands.add_parser("export", help="put a trained method into a folder of its own")
    two.add_argument("dataset", help="its name in the config, such as own")
    two.add_argument("normal", help="the class that is normal, not-<class>, or all")
    two.add_argument("method", help="its name in the config, such as pixels")
    two.add_argument("folder", type=Path, help="where to put it")
    two.add_argument("--seed", type=int, default=0, help="of the run, if it has several (0)")
    two.add_argument(
        "--configfile", type=Path, nargs="+", default=[], action="extend", metavar="FILE",
        help="those that snakemake was given",
    )  # fmt: skip
    two.add_argument(
        "--config", nargs="+", default=[], action="extend", metavar="KEY=VALUE",
        help="what snakemake was given",
    )  # fmt: skip
    two.set_defaults(run=export_method)
    three = commands.add_parser("score", help="score new images with an exported method")
    three.add_argument("model", type=Path, help="the folder that export made")
    three.add_argument("images", type=Path, help="an image, or a folder with images in it")
    three.add_argument("--out", type=Path, help="a csv file; without it the table is printed")
    three.add_argument(
        "--quantile", type=float, default=0.95,
        help="share of new normal images that shall stay below the threshold (0.95)",
    )  # fmt: skip
    three.set_defaults(run=score)
    return whole


def main(argv: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show stops nothing
        stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:  # nobody reads on, as in `nearnd show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ArithmeticError, ImportError) as error:
        _say(f"{error}")
    except MemoryError as error:
        _say(f"there is not enough memory. {error}")
    except KeyboardInterrupt:
        _say("stopped, before anything was written")
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
