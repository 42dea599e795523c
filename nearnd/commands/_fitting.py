"""What the commands that train on a folder share."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any


def add_fitting(parser: ArgumentParser) -> None:
    """The folder, the model, and how pictures are read."""
    parser.add_argument("images", type=Path, help="the folder: normal images, or see README")
    parser.add_argument("model", type=Path, help="where to put the trained method")
    parser.add_argument("--normal", help="the class that is normal, where the folder has several")
    parser.add_argument(
        "--fit", choices=["squash", "crop", "pad"], default="squash",
        help="what becomes of pictures that are not square (squash)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, default=224, help="side of the stored images (224)")
    parser.add_argument("--grey", action="store_true", help="the images have no colour")
    parser.add_argument(
        "--work", type=Path, metavar="DIR",
        help="where the workflow's results lie (MODEL.work); what was stopped goes on there",
    )  # fmt: skip
    parser.add_argument(
        "--mirrors", nargs="+", default=[], metavar="PLACE",
        help="folders or links with weights, where there is no internet",
    )  # fmt: skip
    parser.add_argument("--cores", default="all", help="how many cores it may use (all)")


def fitting(options: Namespace) -> dict[str, Any]:
    """The arguments of `nearnd.plan.fit.train` that these are."""
    mode = "L" if options.grey else "RGB"
    return {
        "form": {"fit": options.fit, "size": options.size, "mode": mode},
        "normal": options.normal, "work": options.work, "mirrors": options.mirrors,
        "cores": options.cores,
    }  # fmt: skip
