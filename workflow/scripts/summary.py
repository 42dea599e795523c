"""Means and deviations of everything this run measured, and what of it stands first."""

from collections import defaultdict

import _repository  # noqa: F401
import pandas as pd

from nearnd.files import html, tables
from nearnd.jobs import job
from nearnd.report import found, paired, reads
from nearnd.report.summary import grouped, summary

with job.start(snakemake):
    parts, groups = [], defaultdict(list)
    for source in snakemake.params.sources:
        metrics = tables.load_table(source["metrics"], "metric", "value")
        slices = tables.load_table(source["slices"], "metric", "value")
        closeness = reads.table(source["closeness"])
        parts.append(summary(metrics, closeness, slices, paired.load(source["paired"])))
        if source["group"]:
            groups[source["group"]].append(grouped(metrics, source["group"]))
    parts += [summary(pd.concat(members)) for members in groups.values()]
    # a method that stands in several experiments was measured once
    keys = ["dataset", "method", "test", "metric"]
    table = pd.concat(parts).drop_duplicates(keys)
    tables.save_table(snakemake.output[0], table)
    html.save_page(snakemake.output.page, table, "summary")
    figure, page = snakemake.output.figure, snakemake.output.found
    found.save(table, snakemake.params.labels, figure=figure, page=page)
