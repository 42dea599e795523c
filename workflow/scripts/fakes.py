"""Draws the images that stand for anomalies in training, and counts copies among them."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import duplicates, job
from nearnd.tasks import Normal

with job.start(snakemake) as run:
    p, files = snakemake.params, snakemake.input
    images = tables.load_images(files.pixels)
    keep = Normal.parse(snakemake.wildcards.normal).of(images.names)
    normal = images.pixels[keep]  # (N, H, W, C)
    fakes, sources = plugins.build("fakes", p.entry), {}
    if p.generator:
        sources[fakes.way] = getattr(plugins.build("generators", p.generator), fakes.way)
        sources["snapshots"] = files.snapshots
        sources["fidelity"] = tables.load_table(files.fidelity, "step").to_dict("records")
    elif "others" in files.keys():  # noqa: SIM118 - a Namedlist iterates over values
        outliers = tables.load_images(files.others)
        sources |= {"others": outliers.pixels, "names": outliers.names}
    else:  # made elsewhere: which classes they are for
        order = sorted(set(zip(images.labels, images.names, keep, strict=True)))
        sources["classes"] = {str(name): bool(normal) for _, name, normal in order}
    n = round(p.ratio * len(normal))
    sources = plugins.taken(fakes.draw, sources)
    drawn, facts = fakes.draw(n, seed=run.seed, normal=normal, **sources)
    facts |= {
        "n": len(drawn),
        "normal_images": len(normal),
        "copies": duplicates.share(drawn, normal),
    }
    arrays.save_array(snakemake.output.images, drawn)
    tables.save_table(snakemake.output.facts, tables.one_row(facts))
