"""One table of what the generators of a run cost: time, images per second, memory."""

import _repository  # noqa: F401

from nearnd import job, tables
from nearnd.collect import collect

with job.start(snakemake):
    about = {"sources": {"costs": snakemake.params.sources}, "methods": {}}
    tables.save_table(snakemake.output[0], collect(about)["costs"])
