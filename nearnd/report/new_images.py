"""New images through a trained method: their scores, and what is needed to look at them."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nearnd.contracts import Embedding
from nearnd.files.arrays import load_rows
from nearnd.files.decode import decode_each, resize
from nearnd.files.picture import Form
from nearnd.jobs.neighbours import nearest
from nearnd.report import models, onnx_model
from nearnd.report.conformal import Decision, anomalous, p_values
from nearnd.report.model_folder import BANK, DETECTOR, NORMALS, SMALL, named, scorer

BATCH = 512  # images that are read and scored at a time
MEMORY = 1 << 28  # bytes of their pixels
NEAREST = 3  # normal images that are shown beside a new one
log = logging.getLogger("nearnd")


class Looks(NamedTuple):
    """What there is to see of N images; a row of an unreadable one is 0."""

    small: np.ndarray  # uint8 (N, s, s, C)
    maps: np.ndarray | None  # float32 (N, h, w), where the method says where
    near: np.ndarray | None  # int (N, k), rows of the normal images, the nearest first
    normals: np.ndarray | None  # uint8 (M, s, s, C), those normal images


class Model(NamedTuple):
    """A model folder or ONNX file, ready for new images."""

    folder: Path
    facts: dict[str, Any]  # as of `model_folder.read`
    scores: Callable[[np.ndarray], tuple[Embedding, Embedding]]  # see `scorer`
    normals: np.ndarray | None  # uint8 (M, s, s, C), small copies of the normal images
    features: np.ndarray | None  # (M, D), theirs; both None if the model does not have both


def opened(folder: Path, facts: dict[str, Any]) -> Model:
    """ValueError naming the folder if something in it is damaged."""
    with named(folder):
        if models.is_onnx(folder):
            return Model(folder, facts, *onnx_model.opened(folder, facts))
        bank = folder / BANK if BANK in facts["files"] else None
        scores = scorer(facts, folder / DETECTOR, bank)
        return Model(folder, facts, scores, *normals_of(folder, facts, bank))


def score_images(
    model: Model, sources: list[tuple[str, Any]], decision: Decision, look: bool = False
) -> tuple[pd.DataFrame, Looks | None]:
    """A row for each image: id, score, p_value, anomalous, remark; and with `look` what there is to
    see.

    `sources` are (name, file or its content) as for `decode`. p_value, anomalous: see conformal.py;
    a small one is unusual. remark: why there is no score.
    """
    decision.check()
    facts, features = model.facts, model.features
    n = len(sources)
    values, remarks = np.full(n, np.nan, np.float32), []
    small = maps = near = None
    with named(model.folder):
        side = Form(**facts["images"]).check().size
    batch = max(1, min(BATCH, MEMORY // (3 * side**2)))
    for start in range(0, n, batch):
        with named(model.folder):
            pixels, wrong = decode_each(sources[start : start + batch], **facts["images"])
            good = np.flatnonzero([not words for words in wrong])  # (g,)
            if len(good):
                found, queries = model.scores(pixels[good])
                values[start + good] = found["score"]
            if len(good) and look:
                small = _put(small, n, start + good, resize(pixels[good], SMALL))
                if "map" in found:
                    maps = _put(maps, n, start + good, found["map"])
                if features is not None:
                    at = nearest(features, queries["features"], min(NEAREST, len(features)))[1]
                    near = _put(near, n, start + good, at)
        remarks += wrong
        if n > batch:
            log.info(f"{len(remarks)} of {n} images")
    scored = ~np.isnan(values)
    remarks = [
        words or ("" if ok else "its score is not a number")
        for words, ok in zip(remarks, scored, strict=True)
    ]
    p = np.full(n, np.nan)
    p[scored] = p_values(facts["held_out"], values[scored], decision.delta)
    flags = pd.Series(False, index=range(n), dtype="boolean")
    flags[scored] = anomalous(p[scored], decision)
    table = pd.DataFrame({
        "id": [_shown(name) for name, _ in sources],
        "score": values,
        "p_value": p,
        "anomalous": flags.mask(~scored),
        "remark": remarks,
    })  # fmt: skip
    if not look:
        return table, None
    if small is None:
        small = np.zeros((n, SMALL, SMALL, 3), np.uint8)
    return table, Looks(small, maps, near, model.normals)


def normals_of(
    folder: Path, facts: dict[str, Any], bank: Path | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Small copies of the normal images (M, s, s, C) and their features (M, D), where the model has
    both, row by row."""
    if NORMALS not in facts["files"] or bank is None:
        return None, None
    normals, features = load_rows(folder / NORMALS)["pixels"], load_rows(bank).get("features")
    if normals.dtype != np.uint8 or normals.ndim != 4 or normals.shape[3] not in (1, 3):
        raise ValueError(f"{NORMALS} holds {normals.dtype} {normals.shape}, not small pictures")
    if len(facts.get("normals", [])) != len(normals):
        raise ValueError(f"{NORMALS} holds {len(normals)} pictures, normals does not name as many")
    if features is None or features.ndim != 2 or len(features) != len(normals):
        return None, None
    return normals, features


def _put(whole: np.ndarray | None, n: int, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`whole` (n, ...), made where there is none, with these values at these rows."""
    if whole is None:
        whole = np.zeros((n, *values.shape[1:]), values.dtype)
    whole[rows] = values
    return whole


def _shown(name: str) -> str:
    """A file's name as text that any table can hold: bytes that are no UTF-8 as \\xff."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
