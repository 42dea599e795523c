"""Trains a detector on the normal training images of one task."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import job

with job.start(snakemake) as run:
    files = dict(snakemake.input.items())
    normal = outliers = None
    if "pixels" in files:
        normal = tables.load_task(files["pixels"], snakemake.wildcards.normal)
    if "outliers" in files:
        outliers = arrays.load_array(files["outliers"], ndim=4, dtype="uint8")
    detector = plugins.build("detectors", snakemake.params.entry)
    detector.fit(
        normal, outliers=outliers, backbone=files.get("backbone"), judge=files.get("judge"),
        seed=run.seed, folder=run.folder, progress=run.progress,
    )  # fmt: skip
    with arrays.replacing(snakemake.output[0]) as part:
        detector.save(part)
