"""Every metric of every task, method, test set and seed of an experiment, as one long table."""

import _repository  # noqa: F401

from nearnd import job, plugins, tables
from nearnd.evaluate import evaluate

with job.start(snakemake):
    metrics = {name: plugins.build("metrics", e) for name, e in snakemake.params.entries.items()}
    scores = [tables.load_table(file, "class", "is_anomaly", "score") for file in snakemake.input]
    tables.save_table(snakemake.output[0], evaluate(snakemake.params.runs, scores, metrics))
