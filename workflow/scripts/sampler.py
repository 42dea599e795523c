"""Draws from one snapshot with the settings of one sampler, and measures what that gives."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import tables
from nearnd.jobs import job
from nearnd.jobs.sampler_cost import sampler_cost, snapshot_at

with job.start(snakemake) as run:
    p, w = snakemake.params, snakemake.wildcards
    normal = tables.load_task(snakemake.input.pixels, w.normal).pixels  # (N, H, W, C)
    watcher = plugins.build("detectors", p.watcher)
    watcher.load(snakemake.input.watcher)
    draws = [
        (setting, plugins.build("generators", entry).sample_counted) for setting, entry in p.entries
    ]
    table = sampler_cost(
        draws,
        snapshot_at(snakemake.input.snapshots, p.step),
        watcher.embed(normal)["features"],
        watcher.embed,
        {m: plugins.build("fidelity", {"kind": m}) for m in p.measures},
        images=p.images or len(normal),
        repeats=p.repeats,
        seed=job.job_seed(w.seed, "sampler", {"normal": w.normal}),  # the same for all samplers
        progress=run.progress,
    )
    tables.save_table(snakemake.output[0], table)
