"""What the commands that look at new images share."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from nearnd.report.conformal import Decision


def add_decision(parser: ArgumentParser) -> None:
    """When an image is called anomalous."""
    parser.add_argument(
        "--alpha", type=float, default=Decision().alpha, metavar="N",
        help="false alarms among 1,000 new normal images, at most (50)",
    )  # fmt: skip
    parser.add_argument(
        "--delta", type=float, metavar="D",
        help="make the promise hold for these very held-out images, but with probability D; without"
        " it, it holds on average over draws of held-out images",
    )  # fmt: skip
    parser.add_argument(
        "--fdr", type=float, metavar="Q",
        help="in place of --alpha: of the images that are called anomalous in one batch, the share"
        " Q at most are false alarms (Benjamini-Hochberg)",
    )  # fmt: skip


def decision(options: Namespace) -> Decision:
    return Decision(options.alpha, options.delta, options.fdr).check()


def model(folder: Path) -> dict[str, Any]:
    """Its facts; a change of its code since is said."""
    from nearnd.report import models

    facts = models.read(folder)
    for stage in facts["changed"]:
        say(f"the code of the {stage} has changed since the export: the threshold may not hold")
    return facts


def say(words: str) -> None:
    print(f"nearnd: {words}", file=sys.stderr)
