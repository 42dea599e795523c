"""Trains a generator on the normal training images of one task, watching its snapshots."""

import _repository  # noqa: F401

from nearnd import arrays, job, monitor, plugins, tables
from nearnd.normal import is_normal

with job.start(snakemake) as run:
    p = snakemake.params
    images, classes = tables.load_images(snakemake.input.pixels)
    normal = images.pixels[is_normal(classes, snakemake.wildcards.normal)]  # (N, H, W, C)
    watcher = plugins.build("detectors", p.watcher)
    watcher.load(snakemake.input.watcher)
    generator = plugins.build("generators", p.entry)
    measures = {m: plugins.build("fidelity", {"kind": m}) for m in p.monitor["measures"]}
    watch = monitor.Monitor(
        normal, generator.sample, watcher.embed, measures, run.seed, run.folder,
        p.monitor.get("images"),
    )  # fmt: skip
    generator.train(normal, seed=run.seed, folder=run.folder, monitor=watch, progress=run.progress)
    tables.save_table(snakemake.output.fidelity, watch.table())
    arrays.save_array(snakemake.output.previews, watch.previews())
    monitor.publish(run.folder, snakemake.output.snapshots)
