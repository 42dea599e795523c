"""Draws one figure, as PNG and PDF."""

import _repository  # noqa: F401

from nearnd import arrays, job, plugins
from nearnd.collect import collect

with job.start(snakemake):
    draw = plugins.build("tables_figures", snakemake.params.entry)
    figure = draw(collect(snakemake.params.about))
    for file, kind in [(snakemake.output[0], "png"), (snakemake.output.pdf, "pdf")]:
        with arrays.replacing(file) as part:
            figure.savefig(
                part,
                format=kind,
                dpi=150,
                metadata={"Creator": "nearnd"} if kind == "pdf" else None,
            )
