"""A trained method of a run into a folder of its own (report/model_folder.py)."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "put a trained method into a folder of its own"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("dataset", help="its name in the config, such as own")
    parser.add_argument("normal", help="the class that is normal, not-<class>, or all")
    parser.add_argument("method", help="its name in the config, such as pixels")
    parser.add_argument("folder", type=Path, help="where to put it")
    parser.add_argument("--seed", type=int, default=0, help="of the run, if it has several (0)")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], action="extend", metavar="FILE",
        help="those that snakemake was given",
    )  # fmt: skip
    parser.add_argument(
        "--config", nargs="+", default=[], action="extend", metavar="KEY=VALUE",
        help="what snakemake was given",
    )  # fmt: skip
    parser.add_argument(
        "--no-pictures", action="store_true",
        help="without small copies of the normal images, which a page shows beside new ones",
    )  # fmt: skip


def run(options: Namespace) -> None:
    from nearnd.plan import given
    from nearnd.plan.export import export

    command = ["snakemake", "--cores", "all"]
    command += ["--configfile", *map(str, options.configfile)] if options.configfile else []
    command += ["--config", *options.config] if options.config else []
    task = (options.dataset, options.normal, options.method, options.seed)
    print(
        export(
            given.run(options.configfile, options.config), *task, options.folder,
            command=shlex.join(command), pictures=not options.no_pictures,
        )
    )  # fmt: skip
    print(f"next: nearnd score {shlex.quote(str(options.folder))} new_pictures --out scores.csv")
