"""Scores the images of one set: higher = more anomalous."""

import _repository  # noqa: F401
import numpy as np

from nearnd import plugins
from nearnd.contracts import score_of
from nearnd.files import arrays, tables
from nearnd.files.regular import sha256
from nearnd.jobs import job
from nearnd.tasks import Normal

with job.start(snakemake) as run:
    files, w = dict(snakemake.input.items()), snakemake.wildcards
    table = tables.load_names(files["pixels"])
    queries = arrays.load_rows(files["queries"], len(table))
    queries.pop("row")
    bank = arrays.load_rows(files["bank"]) if "bank" in files else {}
    score = plugins.build("scores", snakemake.params.entry)
    table["score"] = score_of(score(bank, queries, seed=run.seed))
    own = snakemake.params.own  # another dataset's images are anomalies, all of them
    table["is_anomaly"] = ~Normal.parse(w.normal).of(table["class"]) if own else True
    columns = ["id", "class", "is_anomaly", "score"]
    if answers := snakemake.params.answers:  # which class the detector takes it for
        said = queries[answers["array"]].argmax(axis=1)
        table["predicted"] = np.array(answers["classes"], object)[said]
        columns.append("predicted")
    made_with = arrays.load_facts(files["queries"])
    made_with |= {"bank": sha256(files["bank"])} if bank else {}
    tables.save_scores(
        snakemake.output[0], table[columns],
        seed=run.seed, parts=snakemake.params.parts, files=made_with,
    )  # fmt: skip
