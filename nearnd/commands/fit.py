"""A method from a folder of normal images: the workflow runs, then the method is exported."""

import shlex
from argparse import ArgumentParser, Namespace

from nearnd.commands._fitting import add_fitting, fitting

HELP = "a method from a folder of normal images"
METHOD = "own_gaussian"  # of config/own.yaml the one that is best on most tasks (docs/SELECT.md)


def add(parser: ArgumentParser) -> None:
    add_fitting(parser)
    parser.add_argument("--method", default=METHOD, help=f"its name in the catalog ({METHOD})")


def run(options: Namespace) -> None:
    from nearnd.plan.fit import fit

    print(fit(options.images, options.model, method=options.method, **fitting(options)))
    print(f"next: nearnd score {shlex.quote(str(options.model))} new_pictures --html page.html")
