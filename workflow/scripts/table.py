"""Fills one table: csv to compute with, Markdown to read, LaTeX to print."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, html, tables
from nearnd.jobs import job
from nearnd.report import reads

with job.start(snakemake):
    about = snakemake.params.about
    table = plugins.build("tables_figures", snakemake.params.entry)(reads.load(about))
    tables.save_table(snakemake.output[0], tables.explained(table))
    note = tables.below(table, about["note"])
    named = snakemake.wildcards
    html.save_page(snakemake.output.page, table, f"{named.experiment}: {named.drawing}", note)
    texts = {"md": tables.to_markdown(table, note), "tex": tables.to_latex(table, note)}
    for kind, text in texts.items():
        with arrays.replacing(snakemake.output[kind]) as part:
            part.write_text(text, encoding="utf-8")
