"""The best of several methods for a folder of normal images, by defects that are drawn on held-out
ones; it is then put into the model folder as by `fit`."""

import shlex
from argparse import ArgumentParser, Namespace

from nearnd.commands._fitting import add_fitting, fitting
from nearnd.commands._new import say

HELP = "the best method for a folder of normal images, by drawn defects"


def add(parser: ArgumentParser) -> None:
    add_fitting(parser)
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD",
        help="what is compared, the simplest first (the methods of own_select in config/own.yaml)",
    )  # fmt: skip


def run(options: Namespace) -> None:
    from nearnd.plan.select import select

    given = (options.images, options.model, options.methods)
    table, chosen, words = select(*given, say=say, **fitting(options))
    print("AUROC in percent, of normal pictures with a drawn defect against those without:\n")
    print((100 * table).to_markdown(floatfmt=".1f"))
    print(
        f"\n{chosen} is taken: of those within one point of the highest mean the first in this"
        " table, which begins with the simplest. Drawn defects are no real anomalies"
        " (docs/SELECT.md)."
    )
    print(words)
    print(f"next: nearnd score {shlex.quote(str(options.model))} new_pictures --html page.html")
