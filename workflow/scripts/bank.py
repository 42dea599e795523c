"""Keeps some or all rows of the normal training images' embedding."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import job
from nearnd.tasks import Normal

with job.start(snakemake) as run:
    images = tables.load_images(snakemake.input.pixels)
    embedding = arrays.load_rows(snakemake.input.features)
    row = embedding.pop("row")
    embedding["label"] = images.labels[row]
    keep = Normal.parse(snakemake.wildcards.normal).of(images.names[row])
    normal = {name: array[keep] for name, array in embedding.items()}
    bank = plugins.build("banks", snakemake.params.entry)(normal, seed=run.seed)
    arrays.save_tensors(snakemake.output[0], bank)
