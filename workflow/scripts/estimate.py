"""Prints what the run would take: jobs, GPU and core-hours, room on the disk, by stage."""

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import estimate

with job.start(snakemake):
    p = snakemake.params
    parts = {name: estimate.counter(jobs) for name, jobs in p.parts.items()}
    print(estimate.text(parts, estimate.counter(p.whole), p.config, p.missing))
