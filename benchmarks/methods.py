"""How long every kind of detector takes to fit and to embed, and every kind of score to score.

    python benchmarks/methods.py [--rounds 1] [--threads 1]

The digits' size: 8x8 grey images, 100 normal ones and 200 outliers of noise, and the small ViT of
backbones: glyph_vit with random weights. A kind takes the settings of the first method's detector
whose name ends in `digits`, or else its defaults, but trains for one epoch (ten iterations); the
name of the row says of how many. Scores compare 300 images with a bank of 100, with the arrays of
the first detector that embeds what they read. There is no yardstick. Kinds that fail are listed at
the end.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from nearnd import plugins
from nearnd.catalog import whole as entries_in
from nearnd.contracts import Images, silent
from nearnd.files.arrays import save_tensors

CATALOG = Path(__file__).parents[1] / "config" / "catalog"
SHORT = {"epochs": 1, "ae_epochs": 1, "iterations": 10}
NORMAL, OUTLIERS = 100, 200
SLOW = 2.0  # seconds for 20 images, after which no more are embedded

Row = tuple[str, float, str, float]


def catalog(stage: str) -> dict[str, dict]:
    return entries_in(CATALOG)[stage]


def make_backbones(folder: Path) -> dict[str, Path]:
    """Files of random weights: the digits' ViT, and Inception."""
    import torch_fidelity.feature_extractor_inceptionv3 as port

    with (
        patch.object(port, "load_state_dict_from_url", lambda *_, **__: {}),
        patch.object(port.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None),
    ):
        net = port.FeatureExtractorInceptionV3("inception", ["2048"])
    inception = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    save_tensors(folder / "inception", inception)
    kwargs = catalog("backbones")["glyph_vit"]["kwargs"]
    entry = {"kind": "timm", "model": "vit_tiny_patch16_224", "weights": "none", "kwargs": kwargs}
    vit = plugins.build(
        "backbones", entry | {"mean": 0.5, "std": 0.5, "resize": kwargs["img_size"]}
    )
    weights, facts = vit.make(None, [], seed=0, folder=folder, progress=silent)
    save_tensors(folder / "vit", weights, **facts)
    return {"inception": folder / "inception"} | dict.fromkeys(
        set(plugins.available("detectors")) - {"inception"}, folder / "vit"
    )


def settings(kind: str) -> tuple[dict, str]:
    """The entry of a short training, and how much of a whole one that is."""
    detectors = catalog("detectors")
    names = [method["detector"] for method in catalog("methods").values()]
    entries = [
        detectors[name]
        for name in names
        if detectors[name]["kind"] == kind and name.endswith("digits")
    ]
    entry = {"kind": kind, **(entries[0] if entries else {})}
    entry = {key: value for key, value in entry.items() if key not in ("backbone", "outliers")}
    build = inspect.signature(import_module(f"nearnd.detectors.{kind}").build).parameters
    whole = {key: entry.get(key, build[key].default) for key in SHORT if key in build}
    part = {key: min(SHORT[key], value) for key, value in whole.items()}
    words = [f"{key} {part[key]} of {value}" for key, value in whole.items()]
    return entry | part, ", ".join(words) or "nothing to train"


def seconds(function) -> tuple[float, object]:
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def detector_rows(kind: str, backbone: Path, rounds: int) -> tuple[list[Row], dict]:
    """Times of a detector, and its embedding of the normal images and of all images."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (NORMAL + OUTLIERS, 8, 8, 1), np.uint8)
    images = Images(pixels[:NORMAL], np.arange(NORMAL) % 3, np.arange(NORMAL).astype(str))
    needs = plugins.constant("detectors", kind, "NEEDS")
    entry, part = settings(kind)
    fit_time = embed_time = float("inf")
    for _ in range(rounds):
        detector = plugins.build("detectors", entry)
        took, _ = seconds(
            lambda detector=detector: detector.fit(
                images,
                outliers=pixels[NORMAL:] if "outliers" in needs else None,
                backbone=backbone if "backbone" in needs else None,
                seed=0,
                folder=None,
                progress=silent,
            )
        )
        fit_time = min(fit_time, took)
        first, embedding = seconds(lambda detector=detector: detector.embed(pixels[:20]))
        some = pixels[:20]
        if first < SLOW:
            first, embedding = seconds(lambda detector=detector: detector.embed(pixels))
            some = pixels
        embed_time = min(embed_time, first / len(some))
    rows = [
        (f"detector {kind}: fit, {part}", fit_time, "s", float("nan")),
        (f"detector {kind}: embed", 1 / embed_time, "images/s", float("nan")),
    ]
    return rows, embedding


def score_rows(kind: str, embeddings: dict[str, dict], rounds: int) -> list[Row]:
    """The time of a score, fitted to the normal images' embedding."""
    reads = plugins.constant("scores", kind, "READS")
    able = [name for name, e in embeddings.items() if set(reads) <= set(e)]
    if not able:
        raise ValueError(f"no detector that could be fitted embeds {reads}")
    of = "frozen" if "frozen" in able else able[0]
    queries = embeddings[of]
    bank = {name: array[:NORMAL] for name, array in queries.items()}
    bank["label"] = np.arange(NORMAL) % 3
    if "logits" in bank:  # as if the short training had taught it the classes
        rolls = bank["label"] - bank["logits"].argmax(axis=1)
        bank["logits"] = np.stack([np.roll(*p) for p in zip(bank["logits"], rolls, strict=True)])
    score = plugins.build("scores", {"kind": kind})
    best = min(seconds(lambda: score(bank, queries, seed=0))[0] for _ in range(rounds + 1))
    n = len(queries[reads[0]])
    return [(f"score {kind}: {n} images of {of}", best, "s", float("nan"))]


def measure(rounds: int) -> tuple[list[Row], list[str]]:
    """Rows of name, value, unit, yardstick; and what went wrong, a line for each kind."""
    rows, errors, embeddings = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        backbones = make_backbones(Path(folder))
        detector_rows("frozen", backbones["frozen"], 1)  # loads the libraries
        for kind in plugins.available("detectors"):
            try:
                found, embeddings[kind] = detector_rows(kind, backbones[kind], rounds)
                rows += found
            except Exception as error:  # one kind must not hide the others
                errors.append(f"detector {kind}: {type(error).__name__}: {error}")
    for kind in plugins.available("scores"):
        try:
            rows += score_rows(kind, embeddings, rounds)
        except Exception as error:
            errors.append(f"score {kind}: {type(error).__name__}: {error}")
    return rows, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows, errors = measure(args.rounds)
    print(f"{'name':64}{'value':>10} unit")
    for name, value, unit, _ in rows:
        print(f"{name:64}{value:10.4g} {unit}")
    if errors:
        sys.exit("\n".join(["not measured:", *errors]))


if __name__ == "__main__":
    main()
