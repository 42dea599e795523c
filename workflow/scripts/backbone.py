"""Fetches or pretrains a backbone."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import job

with job.start(snakemake) as run:
    images, classes = None, []
    # what is fetched stays, as archives do, with the checksum of its first use
    w = snakemake.wildcards
    folder = Path("results/archives/backbones", w.backbone)
    if "pixels" in snakemake.input.keys():  # noqa: SIM118 - a Namedlist iterates over values
        folder = run.folder
        images = tables.load_images(snakemake.input.pixels)
        label = dict(zip(images.names, images.labels, strict=True))
        classes = sorted(label, key=label.get)
    backbone = plugins.build("backbones", snakemake.params.entry)
    seed = job.job_seed(w.seed, "backbone", {"backbone": w.backbone})
    weights, facts = backbone.make(images, classes, seed=seed, folder=folder, progress=run.progress)
    arrays.save_tensors(snakemake.output[0], weights, **facts)
