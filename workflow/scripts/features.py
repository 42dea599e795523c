"""Embeds one image set with one detector."""

import numpy as np
import _repository  # noqa: F401

from nearnd import arrays, job, plugins, tables
from nearnd.normal import is_normal

with job.start(snakemake) as run:
    w = snakemake.wildcards
    images, classes = tables.load_images(snakemake.input.pixels)
    pixels, row = images.pixels, np.arange(len(images))
    if w.images == "train" and w.normal != "any":  # only these can enter a bank
        row = np.flatnonzero(is_normal(classes, w.normal))
        pixels = pixels[row]  # (N, H, W, C)
    detector = plugins.build("detectors", snakemake.params.entry)
    detector.load(snakemake.input.detector)
    embedding = detector.embed(pixels, progress=run.progress)
    arrays.save_tensors(snakemake.output[0], embedding | {"row": row})
