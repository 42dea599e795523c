"""A method from a folder of normal images: the workflow runs, then the method is exported."""

import shlex
from argparse import ArgumentParser, Namespace

from nearnd.commands._fitting import add_fitting, fitting

HELP = "a method from a folder of normal images"
METHOD = "own_gaussian"  # of config/own.yaml the one that is best on most tasks (docs/SELECT.md)


def add(parser: ArgumentParser) -> None:
    add_fitting(parser)
    parser.add_argument("--method", default=METHOD, help=f"its name in the catalog ({METHOD})")
    parser.add_argument(
        "--tile", type=int, metavar="T",
        help="of a method on patches, for a --size above what the network sees: pieces of T pixels,"
        " which overlap",
    )  # fmt: skip


def run(options: Namespace) -> None:
    from nearnd.plan.fit import fit

    how = fitting(options) | {"tile": options.tile}
    print(fit(options.images, options.model, method=options.method, **how))
    print(f"next: nearnd score {shlex.quote(str(options.model))} new_pictures --html page.html")
