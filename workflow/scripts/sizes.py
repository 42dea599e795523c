"""Prints what the results folder keeps, and how large it is."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import housekeeping

with job.start(snakemake):
    print(housekeeping.text_of_sizes(Path("results")))
