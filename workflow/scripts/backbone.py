"""Fetches or pretrains a backbone."""

import _repository  # noqa: F401

from nearnd import arrays, job, plugins, tables

with job.start(snakemake) as run:
    images, classes = None, []
    if snakemake.input:
        images, names = tables.load_images(snakemake.input[0])
        classes = sorted(set(names), key=dict(zip(names, images.labels, strict=True)).get)
    backbone = plugins.build("backbones", snakemake.params.entry)
    weights, facts = backbone.make(
        images, classes, seed=run.seed, folder=run.folder, progress=run.progress
    )
    arrays.save_tensors(snakemake.output[0], weights, **facts)
