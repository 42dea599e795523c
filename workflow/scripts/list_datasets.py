"""Prints the datasets of the catalog: size, terms, access, and whether they are here."""

import _repository  # noqa: F401

from nearnd.jobs import job
from nearnd.plan import listing

with job.start(snakemake):
    print(listing.text(snakemake.params.config))
