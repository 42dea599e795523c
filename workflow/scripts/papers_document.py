"""Writes docs/PAPERS.md, as results/papers.md: what each table and figure of the papers needs."""

import _repository  # noqa: F401

from nearnd.files import arrays
from nearnd.jobs import job
from nearnd.plan import papers_list

with job.start(snakemake), arrays.replacing(snakemake.output[0]) as part:
    text = papers_list.document(snakemake.params.config, snakemake.params.jobs)
    part.write_text(text, encoding="utf-8")
