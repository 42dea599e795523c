"""Removes half-done work that no unfinished job and no further training needs."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd import housekeeping, job

with job.start(snakemake):
    p = snakemake.params
    print(housekeeping.clean(Path("results"), p.outputs, p.enough))
