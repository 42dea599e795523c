"""Removes half-done work that no unfinished job and no further training needs."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import housekeeping

with job.start(snakemake):
    p = snakemake.params
    print(housekeeping.clean(Path("results"), p.outputs, p.enough))
