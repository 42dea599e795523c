"""Decodes and resizes a dataset once, into memory-mapped arrays and tables."""

from pathlib import Path

import _repository  # noqa: F401

from nearnd import job, plugins, tables

with job.start(snakemake):
    records = snakemake.params.archives.items()
    archives = {name: Path(record).with_suffix("") for name, record in records}
    dataset = plugins.build("datasets", snakemake.params.entry)
    splits, classes = dataset.read(archives)
    for split, images in splits.items():
        tables.save_images(Path(snakemake.output[0]).parent, split, images, classes)
        job.log.info(f"{split}: {len(images)} images {images.pixels.shape[1:]}")
