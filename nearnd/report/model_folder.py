"""A trained method in a folder of its own, to score new images with: no config, no workflow.

model.json            entries of detector and score, how pictures are read, where it comes from, and
                      the scores of held-out normal images, which say what is unusual
detector.safetensors  the trained detector
bank.safetensors      the normal images' features, if the method has a bank
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd import plugins
from nearnd.contracts import score_of
from nearnd.files.arrays import load_rows
from nearnd.files.header import brief
from nearnd.files.regular import regular, sha256
from nearnd.jobs.seeds import pixel_seeds
from nearnd.jobs.threads import set_threads
from nearnd.report.conformal import p_values, threshold

MODEL, DETECTOR, BANK = "model.json", "detector.safetensors", "bank.safetensors"
VERSION = 1  # of what stands in model.json
STAGES = ("detector", "score")  # that new images go through
MOST_THREADS = 64
BATCH = 512  # images that are read and scored at a time
FACTS = {
    "detector": dict, "score": dict, "seed": int, "threads": int, "images": dict, "held_out": list,
    "files": dict,
}  # fmt: skip


def read(folder: Path) -> dict[str, Any]:
    """What stands in model.json, `held_out` as float32 (n,); and `changed`: the stages whose code
    is not that of the export. ValueError if it cannot be used."""
    file = folder / MODEL
    if not file.exists():
        raise ValueError(f"{folder} has no {MODEL}: make it with `nearnd export`")
    with named(file):
        facts = json.loads(regular(file, 1 << 30).read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(f"it holds a {type(facts).__name__}, not facts by name")
        if facts.get("version") != VERSION:
            raise ValueError(
                f"it is of version {facts.get('version')!r}, this nearnd reads version {VERSION}"
            )
        for name, kind in FACTS.items():
            if type(facts.get(name)) is not kind:
                raise ValueError(
                    f"{name} is {facts.get(name)!r:.60}; it has to be a {kind.__name__}"
                )
        if not 1 <= facts["threads"] <= MOST_THREADS:
            raise ValueError(f"threads is {facts['threads']}; it may be 1 to {MOST_THREADS}")
        held_out = np.array(facts["held_out"], dtype=np.float32)  # as scores are
        if held_out.ndim != 1 or not len(held_out) or not np.isfinite(held_out).all():
            raise ValueError("held_out has to be a list of at least one finite number")
        for name, digest in facts["files"].items():
            if name not in (DETECTOR, BANK):
                raise ValueError(f"files names {name!r}; it may be {DETECTOR} or {BANK}")
            if sha256(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the file that was exported")
        code = {stage: plugins.digest(f"{stage}s", facts[stage]["kind"]) for stage in STAGES}
        changed = [stage for stage in STAGES if facts.get("code", code)[stage] != code[stage]]
        return facts | {"held_out": held_out, "changed": changed}


def scorer(
    facts: dict[str, Any], detector: Path, bank: Path | None = None
) -> Callable[[np.ndarray], np.ndarray]:
    """The function from pixels uint8 (N, H, W, C) to scores float32 (N,)."""
    set_threads(facts["threads"], min(8, os.cpu_count() or 1))  # as the held-out images were scored
    network = plugins.build("detectors", facts["detector"])
    network.load(detector)
    features = load_rows(bank) if bank else {}
    score = plugins.build("scores", facts["score"])

    def scores(pixels: np.ndarray) -> np.ndarray:
        queries = network.embed(pixels, seeds=pixel_seeds(pixels))
        return np.asarray(score_of(score(features, queries, seed=facts["seed"])), np.float32)

    return scores


def score_images(
    folder: Path, facts: dict[str, Any], sources: list[tuple[str, Any]], quantile: float
) -> pd.DataFrame:
    """A row for each image: id, score, p_value, anomalous, remark.

    `facts` are those of `read`, `sources` (name, file) as for `decode`. p_value: see conformal.py;
    small is unusual. anomalous: score above the threshold. remark: why an image has no score.
    """
    from nearnd.files.decode import decode_each

    limit = threshold(facts["held_out"], quantile)
    with named(folder):
        bank = folder / BANK if BANK in facts["files"] else None
        scores = scorer(facts, folder / DETECTOR, bank)
    values, remarks = np.full(len(sources), np.nan, np.float32), []
    for start in range(0, len(sources), BATCH):
        with named(folder):
            pixels, wrong = decode_each(sources[start : start + BATCH], **facts["images"])
            good = np.array([not words for words in wrong])
            if good.any():
                values[start : start + BATCH][good] = scores(pixels[good])
        remarks += wrong
        if len(sources) > BATCH:
            print(f"{len(remarks)} of {len(sources)} images", file=sys.stderr)
    scored = ~np.isnan(values)
    remarks = [
        words or ("" if ok else "its score is not a number")
        for words, ok in zip(remarks, scored, strict=True)
    ]
    return pd.DataFrame({
        "id": [_shown(name) for name, _ in sources],
        "score": values,
        "p_value": np.where(scored, p_values(facts["held_out"], values), np.nan),
        "anomalous": pd.Series(values > limit, dtype="boolean").mask(~scored),
        "remark": remarks,
    })  # fmt: skip


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


def _shown(name: str) -> str:
    """A file's name as text that any table can hold: bytes that are no UTF-8 as \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
