"""One table of what the generators of a run cost: time, images per second, memory."""

import _repository  # noqa: F401

from nearnd.files import tables
from nearnd.jobs import job
from nearnd.report.drawing_data import collect

with job.start(snakemake):
    about = {"sources": {"costs": snakemake.params.sources}, "methods": {}}
    tables.save_table(snakemake.output[0], collect(about)["costs"])
