"""Draws one figure, as PNG and PDF."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays
from nearnd.jobs import job
from nearnd.report import reads

with job.start(snakemake):
    draw = plugins.build("tables_figures", snakemake.params.entry)
    figure = draw(reads.load(snakemake.params.about))
    # no creation date: the same numbers give the same bytes
    pdf = {"Creator": "nearnd", "CreationDate": None}
    for file, kind, facts in [
        (snakemake.output[0], "png", None),
        (snakemake.output.pdf, "pdf", pdf),
    ]:
        with arrays.replacing(file) as part:
            figure.savefig(part, format=kind, dpi=150, metadata=facts)
