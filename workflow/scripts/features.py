"""Embeds a dataset's own images with one detector: what can enter a bank, and the test split."""

import _repository  # noqa: F401
import numpy as np

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.files.regular import sha256
from nearnd.jobs import job
from nearnd.jobs.seeds import pixel_seeds
from nearnd.tasks import Normal

with job.start(snakemake) as run:
    normal = snakemake.wildcards.normal
    detector = plugins.build("detectors", snakemake.params.entry)
    detector.load(snakemake.input.detector)
    made_with = sha256(snakemake.input.detector)
    splits = tables.load_splits(snakemake.input.train, snakemake.input.test)
    for split, images in splits.items():
        pixels, row = images.pixels, np.arange(len(images))
        if split == "train" and not snakemake.params.banked:  # nobody reads them
            row = row[:0]
        elif split == "train" and normal != "any":  # the others are for no bank
            row = np.flatnonzero(Normal.parse(normal).of(images.names))
        if len(row) < len(pixels):
            pixels = pixels[row]  # (N, H, W, C)
        embedding = detector.embed(pixels, seeds=pixel_seeds(pixels), progress=run.progress)
        rows = embedding | {"row": row}
        arrays.save_tensors(snakemake.output[split], rows, detector=made_with)
