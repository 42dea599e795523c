"""Fetches one archive; it stays beside the record of where it came from."""

import json
import os
from pathlib import Path

import _repository  # noqa: F401

from nearnd import arrays, fetch, job

with job.start(snakemake) as run:
    target = Path(snakemake.output[0]).with_suffix("")
    mirrors = json.loads(os.environ.get("NEARND_MIRRORS", "[]"))
    fetch.fetch(snakemake.params.archive, target, mirrors, progress=run.progress)
    with arrays.replacing(snakemake.output[0]) as part:
        part.write_text(json.dumps(snakemake.params.archive, indent=1))
