"""Trains a generator on the normal training images of one task, watching its snapshots."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import feature_cache, job, monitor

with job.start(snakemake, apart=["until"]) as run:
    p, files, out = snakemake.params, snakemake.input, snakemake.output
    images = tables.load_task(files.pixels, snakemake.wildcards.normal)
    normal, labels = images.pixels, images.labels  # (N, H, W, C), (N,)
    watcher = plugins.build("detectors", p.watcher)
    watcher.load(files.watcher)
    real = feature_cache.features_of(normal, watcher.embed, files.watcher, p.watcher_digest)
    generator = plugins.build("generators", p.entry)
    plan = generator.plan()
    watch = monitor.Monitor(
        real, generator.sample, watcher.embed,
        {name: plugins.build("fidelity", {"kind": name}) for name in p.monitor["measures"]},
        run.seed, run.folder, images=monitor.images_within(plan, len(real), **p.monitor),
        until=p.until, facts=monitor.facts_of(generator, normal), progress=run.progress,
    )  # fmt: skip
    generator.train(
        normal, labels=labels if len(set(labels.tolist())) > 1 else None,
        seed=run.seed, folder=run.folder, monitor=watch, progress=watch.progress,
    )  # fmt: skip
    tables.save_table(out.fidelity, watch.table())
    arrays.save_array(out.previews, watch.previews())
    tables.save_table(out.cost, watch.cost(plan, **run.memory()))
    monitor.publish(run.folder, out.snapshots)
    run.keep = not watch.complete(plan)  # what ended early goes on from here if `until` is raised
