"""A trained method in a folder of its own, to score new images with: no config, no workflow.

model.json            entries of detector and score, how pictures are read, where it comes from, and
                      the scores of held-out normal images, which say what is unusual
detector.safetensors  the trained detector
bank.safetensors      the normal images' features, if the method has a bank
normals.safetensors   small copies of the normal images, to show those that are near to a new one
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nearnd import plugins
from nearnd.contracts import Embedding
from nearnd.files.arrays import load_rows
from nearnd.files.header import brief
from nearnd.files.picture import Form
from nearnd.files.regular import regular, sha256
from nearnd.jobs.seeds import pixel_seeds
from nearnd.jobs.threads import set_threads

MODEL, DETECTOR, BANK = "model.json", "detector.safetensors", "bank.safetensors"
NORMALS = "normals.safetensors"
PARTS = (DETECTOR, BANK, NORMALS)
VERSION, OLDEST = 2, 1  # of what stands in model.json; 1 has no normals and no scale of maps
STAGES = ("detector", "score")  # that new images go through
SMALL = 96  # the side of small copies, in pixels
MOST_THREADS = 64
MOST = 1 << 30  # bytes of model.json
FACTS = {
    "detector": dict, "score": dict, "seed": int, "threads": int, "images": dict, "held_out": list,
    "files": dict,
}  # fmt: skip
KNOWN = {*FACTS, "version", "nearnd", "date", "made_from", "training_images", "code", "normals"}
KNOWN |= {"map_scale", "map_share", "held_out_names"}


def read(folder: Path) -> dict[str, Any]:
    """What stands in model.json, `held_out` as float32 (n,); and `changed`: the stages whose code
    is not that of the export. ValueError if it cannot be used."""
    file = folder / MODEL
    if not file.exists():
        raise ValueError(f"{folder} has no {MODEL}: make it with `nearnd fit` or `nearnd export`")
    with named(file):
        facts = checked(file, KNOWN, (OLDEST, VERSION), FACTS)
        for name, digest in facts["files"].items():
            if name not in PARTS:
                raise ValueError(f"files names {name!r}; it may be {', '.join(PARTS)}")
            if sha256(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the file that was exported")
        code = {stage: plugins.digest(f"{stage}s", facts[stage]["kind"]) for stage in STAGES}
        changed = [stage for stage in STAGES if facts.get("code", code)[stage] != code[stage]]
        return facts | {"changed": changed}


def checked(
    file: Path, known: set[str], versions: tuple[int, int], types: dict[str, type]
) -> dict[str, Any]:
    """What stands in the JSON of a model, `held_out` as float32 (n,). ValueError if it cannot be
    used: it is of another version, has other keys than those known, or a value is of another type.
    """
    facts = json.loads(regular(file, MOST).read_text(encoding="utf-8"))
    if not isinstance(facts, dict):
        raise ValueError(f"it holds a {type(facts).__name__}, not facts by name")
    version, (oldest, newest) = facts.get("version"), versions
    if type(version) is not int or not oldest <= version <= newest:
        raise ValueError(
            f"it is of version {version!r}, this nearnd reads versions {oldest} to {newest}:"
            " export the method again"
        )
    if unknown := sorted(facts.keys() - known):
        raise ValueError(f"it has the unknown keys {', '.join(map(repr, unknown))[:200]}")
    for name, kind in types.items():
        if type(facts.get(name)) is not kind:
            raise ValueError(f"{name} is {facts.get(name)!r:.60}; it has to be a {kind.__name__}")
    if not 1 <= facts["threads"] <= MOST_THREADS:
        raise ValueError(f"threads is {facts['threads']}; it may be 1 to {MOST_THREADS}")
    held_out = np.array(facts["held_out"], dtype=np.float32)  # as scores are
    if held_out.ndim != 1 or not len(held_out) or not np.isfinite(held_out).all():
        raise ValueError("held_out has to be a list of at least one finite number")
    Form(**facts["images"]).check()
    _check_looks(facts)
    return facts | {"held_out": held_out}


def _check_looks(facts: dict[str, Any]) -> None:
    """ValueError if what is only looked at is not what it has to be."""
    for what in STAGES:
        if type(facts[what].get("kind")) is not str:
            raise ValueError(f"{what} has no kind")
    if type(facts.get("made_from", {})) is not dict:
        raise ValueError(f"made_from is {facts['made_from']!r:.60}; it has to be a dict")
    scale = facts.get("map_scale", [0, 1])
    if type(scale) is not list or len(scale) != 2 or not all(_number(value) for value in scale):
        raise ValueError(f"map_scale is {scale!r:.60}; it has to be two numbers")
    share = facts.get("map_share", 1)
    if not _number(share) or not 0 < share <= 1:
        raise ValueError(f"map_share is {share!r:.60}; it may be a number above 0, 1 at most")
    for what in ("normals", "held_out_names"):
        names = facts.get(what, [])
        if type(names) is not list or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{what} has to be a list of names")


def _number(value) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # NaN is not


def scorer(
    facts: dict[str, Any], detector: Path, bank: Path | None = None
) -> Callable[[np.ndarray], tuple[Embedding, Embedding]]:
    """The function from pixels uint8 (N, H, W, C) to what the score gives, {"score": float32 (N,)}
    and a map if it has one, and what the detector embeds."""
    set_threads(facts["threads"], min(8, os.cpu_count() or 1))  # as the held-out images were scored
    network = plugins.build("detectors", facts["detector"])
    network.load(detector)
    features = load_rows(bank) if bank else {}
    score = plugins.build("scores", facts["score"])

    def scores(pixels: np.ndarray) -> tuple[Embedding, Embedding]:
        queries = network.embed(pixels, seeds=pixel_seeds(pixels))
        found = score(features, queries, seed=facts["seed"])
        found = found if isinstance(found, dict) else {"score": found}
        return found | {"score": np.asarray(found["score"], np.float32)}, queries

    return scores


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file from elsewhere becomes a ValueError that names it."""
    try:
        yield
    except (MemoryError, OSError, ImportError):  # of the machine
        raise
    except Exception as error:  # damaged files and weights raise errors of every type
        words = str(error)[:800] if isinstance(error, ValueError) else brief(error)
        raise ValueError(f"{path} cannot be used: {words}") from error
