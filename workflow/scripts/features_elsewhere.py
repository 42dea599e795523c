"""Embeds another dataset's test split with one detector."""

import _repository  # noqa: F401
import numpy as np

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.files.regular import sha256
from nearnd.jobs import job
from nearnd.jobs.seeds import pixel_seeds

with job.start(snakemake) as run:
    images = tables.load_images(snakemake.input.pixels)
    detector = plugins.build("detectors", snakemake.params.entry)
    detector.load(snakemake.input.detector)
    seeds = pixel_seeds(images.pixels)
    embedding = detector.embed(images.pixels, seeds=seeds, progress=run.progress)
    rows = embedding | {"row": np.arange(len(images))}
    arrays.save_tensors(snakemake.output[0], rows, detector=sha256(snakemake.input.detector))
