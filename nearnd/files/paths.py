"""Where every result lies: its path is its lineage by names."""

import re
from pathlib import Path

RESULTS = Path("results")

PLACES = {
    "archive": "archives/{kind}/{archive}.json",
    "images": "images/{dataset}/{split}.npy",
    "backbone": "backbones/{backbone}/seed{seed}.safetensors",
    "generator": "generators/{dataset}/{normal}/{generator}/seed{seed}",
    "sampler": "samplers/{experiment}/{normal}/{sampler}/seed{seed}.tsv",
    "fakes": "fakes/{dataset}/{normal}/{fakes}/seed{seed}.npy",
    "detector": "detectors/{dataset}/{normal}/{detector}/seed{seed}.safetensors",
    "features": "features/{dataset}/{normal}/{detector}/seed{seed}/{images}.safetensors",
    "bank": "banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.safetensors",
    "scores": "scores/{dataset}/{normal}/{method}/{images}/seed{seed}.csv",
    "closeness": "closeness/{dataset}/{closeness}/{images}.csv",
    "metrics": "metrics/{experiment}.csv",
    "slices": "metrics/{experiment}.slices.csv",
    "paired": "metrics/{experiment}.paired.safetensors",
    "table": "tables/{experiment}/{drawing}.csv",
    "figure": "figures/{experiment}/{drawing}.png",
    "summary": "tables/summary.csv",
    "costs": "tables/costs.tsv",
    "report": "report.html",
    "cached features": "cache/features",
    "state": "state",
}


KEPT = {place.split("/")[0] for place in PLACES.values()} - {"state"}  # whose paths are lineage
PART = re.compile(r"\.+(.+?)(\.[0-9a-f]{8}\.part)+")  # what a file is called while it is written


def lineage(path: str | Path) -> str | None:
    """The part of a result's path below results/, which is what it is of; None elsewhere."""
    *folders, name = Path(path).parts
    if RESULTS.name not in folders:
        return None
    below = folders[len(folders) - folders[::-1].index(RESULTS.name) :]
    part = PART.fullmatch(name)
    return "/".join([*below, part[1] if part else name]) if below and below[0] in KEPT else None


def path(what: str, **names: str | int) -> str:
    """The path of a result, relative to the working directory."""
    return str(RESULTS / PLACES[what].format(**names))
