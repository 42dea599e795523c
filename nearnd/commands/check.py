"""What is read of a folder of images, what is left out and why, and what looks odd in it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "what is read of a folder, and what is odd in it"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("images", type=Path, help="the folder")


def run(options: Namespace) -> int:
    from nearnd.plan.folder import FEW, UNREADABLE, check

    lines = check(options.images)
    print("\n".join(lines))
    return int(any(line.startswith((UNREADABLE, FEW)) for line in lines))
