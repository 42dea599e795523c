"""Prints a line for each table and figure of the papers: what it needs, can have, and has."""

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import papers_list

with job.start(snakemake):
    print(papers_list.text(snakemake.params.config, snakemake.params.jobs))
