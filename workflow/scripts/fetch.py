"""Fetches one archive; it stays beside the record of where it came from."""

import json
from pathlib import Path

import _repository  # noqa: F401

from nearnd.files import arrays, fetch
from nearnd.jobs import job

with job.start(snakemake) as run:
    target = Path(snakemake.output[0]).with_suffix("")
    if licence := snakemake.params.archive.get("licence"):
        job.log.info(f"terms of use: {licence}", extra={"shown": True})
    fetch.fetch(snakemake.params.archive, target, fetch.mirrors(), progress=run.progress)
    with arrays.replacing(snakemake.output[0]) as part:
        part.write_text(json.dumps(snakemake.params.archive, indent=1))
