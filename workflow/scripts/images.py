"""Decodes and resizes a dataset once, into memory-mapped arrays and tables."""

import tempfile
from pathlib import Path

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import tables
from nearnd.jobs import duplicates, job
from nearnd.jobs.subset import select

with job.start(snakemake):
    records = snakemake.params.archives.items()
    archives = {name: Path(record).with_suffix("") for name, record in records}
    archives.update(("of", Path(clean)) for clean in snakemake.input.clean)  # one or none
    archives.update((name, Path(fakes)) for name, fakes in snakemake.params.drawn.items())
    folder = Path(snakemake.output[0]).parent
    tempfile.tempdir = str(folder)  # scratch files beside the result: /tmp may be memory
    dataset = plugins.build("datasets", snakemake.params.entry)
    splits, classes = dataset.read(archives)
    splits, classes = select(splits, classes, **snakemake.params.selection)
    for split, images in splits.items():
        tables.save_images(folder, split, images, classes)
        job.log.info(f"{split}: {len(images)} images {images.pixels.shape[1:]}")
    duplicates.warn_of_repeats(splits["train"], splits["test"], classes)
