"""From snakemake's config to a run: laid over the catalog, checked, told to the jobs."""

import json
import os
from pathlib import Path
from typing import Any

from nearnd import catalog
from nearnd.plan.run import Run

# Threads that wait for each other let others work, or beside a busy process training has a quarter
# of its pace. Read when torch is loaded.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def start(workflow, config: dict[str, Any]) -> Run:
    """The run of a config, or one sentence about what is wrong with it.

    Machine settings go to jobs through the environment: a change of them re-runs nothing.
    """
    from snakemake.exceptions import WorkflowError

    base = Path(workflow.basedir)
    try:
        whole = catalog.whole(base / "config" / "catalog", config)
        if workflow.is_main_process:  # not again in every job
            check_whole(whole, base)
    except ValueError as error:
        raise WorkflowError(f"config: {error}") from None
    os.environ.update(NEARND_DEVICE=whole["device"], NEARND_MIRRORS=json.dumps(whole["mirrors"]))
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    return Run(whole)


def check_whole(config: dict[str, Any], base: Path) -> None:
    """Errors of snakemake's schema, or ValueError with one sentence, if a config cannot work."""
    from snakemake.utils import validate

    from nearnd.plan.check import check

    validate(config, str(base / "workflow" / "schemas" / "config.schema.yaml"))
    check(config)
