"""Removes half-done work that no unfinished job needs."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import housekeeping

with job.start(snakemake):
    print(housekeeping.clean(Path("results"), snakemake.params.outputs))
