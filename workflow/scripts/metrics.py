"""Every metric of every task, method, test set and seed of an experiment, as one long table."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import tables
from nearnd.jobs import job
from nearnd.report import paired
from nearnd.report.evaluate import evaluate, evaluate_slices

with job.start(snakemake):
    runs, copies = snakemake.params.runs, snakemake.params.copies
    metrics = {name: plugins.build("metrics", e) for name, e in snakemake.params.entries.items()}
    scores = [tables.load_scores(file)[0] for file in snakemake.input.scores]
    tables.save_table(snakemake.output[0], evaluate(runs, scores, metrics))
    slices = evaluate_slices(runs, scores, metrics, copies)
    tables.save_table(snakemake.output.slices, slices)
    paired.save(snakemake.output.paired, paired.collect(runs, scores, copies))
