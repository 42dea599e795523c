"""The run of a config that is given on a command line, as snakemake reads it."""

import os
from pathlib import Path

from nearnd import catalog
from nearnd.plan.run import Run
from nearnd.plan.start import BASE, check_schema, layers


def run(files: list[Path], values: list[str]) -> Run:
    """`--configfile` and `--config` over config/config.yaml. ValueError naming what is wrong.

    The user's folders need not be there any more.
    """
    config = layers([BASE / "config" / "config.yaml", *files], values)
    whole = catalog.whole(BASE / "config" / "catalog", config)
    check_schema(whole, BASE)
    os.environ.setdefault("NEARND_DEVICE", whole["device"])
    return Run(whole)
