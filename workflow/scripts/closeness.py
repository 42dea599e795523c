"""How close each anomaly class is to each normal class, by a classifier (FITYMI's CLP)."""

import _repository  # noqa: F401

from nearnd import plugins
from nearnd.files import arrays, tables
from nearnd.jobs import job
from nearnd.report.closest_class import closeness_table

with job.start(snakemake) as run:
    files = snakemake.input
    closeness = plugins.build("closeness", snakemake.params.entry)
    sets = []
    for pixels, features in [
        (files.pixels, files.features),
        (files.others, files.other_features),
    ]:
        names = tables.load_images(pixels).names
        sets.append((arrays.load_rows(features)["features"], names))
    own = files.pixels == files.others
    table = closeness_table(closeness, *sets[0], *sets[1], own, progress=run.progress)
    tables.save_table(snakemake.output[0], table)
