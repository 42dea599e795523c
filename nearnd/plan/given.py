"""The run of a config that is given on a command line, as snakemake reads it."""

import os
from pathlib import Path
from typing import Any

import yaml

from nearnd import catalog
from nearnd.plan.run import Run

BASE = Path(__file__).parents[2]  # where the Snakefile lies


def run(files: list[Path], values: list[str]) -> Run:
    """`--configfile` and `--config` over config/config.yaml. ValueError naming what is wrong."""
    from snakemake.cli import parse_config
    from snakemake.exceptions import WorkflowError
    from snakemake.utils import update_config, validate

    config = read(BASE / "config" / "config.yaml")
    for file in files:
        update_config(config, read(file))
    update_config(config, parse_config(values))
    whole = catalog.whole(BASE / "config" / "catalog", config)
    try:
        validate(whole, str(BASE / "workflow" / "schemas" / "config.schema.yaml"))
    except WorkflowError as error:
        raise ValueError(f"config: {error}") from None
    os.environ.setdefault("NEARND_DEVICE", whole["device"])
    return Run(whole)


def read(file: Path) -> dict[str, Any]:
    """A config file."""
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), catalog.LOADER) or {}  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{file} is not readable as YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} holds {found!r:.60}; it may hold settings, such as `run: [own]`")
    return found
