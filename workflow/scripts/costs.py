"""One table of what the generators of a run cost: time, images per second, memory."""

import _repository  # noqa: F401

from nearnd.files import tables
from nearnd.jobs import job
from nearnd.report import reads

with job.start(snakemake):
    tables.save_table(snakemake.output[0], reads.table(snakemake.params.sources))
