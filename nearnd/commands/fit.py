"""A method from a folder of normal images: the workflow runs, then the method is exported."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "a method from a folder of normal images"
METHOD = "own_patchcore"  # of config/own.yaml the one that found most (README)


def add(parser: ArgumentParser) -> None:
    parser.add_argument("images", type=Path, help="the folder: normal images, or see README")
    parser.add_argument("model", type=Path, help="where to put the trained method")
    parser.add_argument("--method", default=METHOD, help=f"its name in the catalog ({METHOD})")
    parser.add_argument("--normal", help="the class that is normal, where the folder has several")
    parser.add_argument(
        "--fit", choices=["squash", "crop", "pad"], default="squash",
        help="what becomes of pictures that are not square (squash)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=224, help="side of the stored images (224)")
    parser.add_argument(
        "--tile", type=int, metavar="T",
        help="for a --size above what the network sees: pieces of T pixels, which overlap",
    )  # fmt: skip
    parser.add_argument("--grey", action="store_true", help="the images have no colour")
    parser.add_argument(
        "--work", type=Path, metavar="DIR",
        help="where the workflow's results lie (MODEL.work); a stopped fit goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--mirrors", nargs="+", default=[], metavar="PLACE",
        help="folders or links with weights, where there is no internet",
    )  # fmt: skip
    parser.add_argument("--cores", default="all", help="how many cores it may use (all)")


def run(options: Namespace) -> None:
    from nearnd.plan.fit import fit

    form = {"fit": options.fit, "size": options.size, "mode": "L" if options.grey else "RGB"}
    words = fit(
        options.images, options.model, method=options.method, normal=options.normal, form=form,
        work=options.work, mirrors=options.mirrors, cores=options.cores, tile=options.tile,
    )  # fmt: skip
    print(words)
    print(f"next: nearnd score {shlex.quote(str(options.model))} new_pictures --html page.html")
