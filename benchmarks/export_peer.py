"""Others on what export.py has made: OpenVINO and onnxruntime on the same graph, anomalib's
PatchCore on the same pictures, layers and number of patches. Runs in an environment of its own.

    PYTHON export_peer.py FOLDER
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

BATCH = 16
NETWORK, LAYERS = "tf_efficientnet_lite0", ["blocks.2", "blocks.4"]  # the maps of own_patchcore
PATCHES, GRID = 1000, 28 * 28  # that are kept, and of one picture


def rate(run: Callable[[np.ndarray], None], pixels: np.ndarray, rounds: int = 3) -> float:
    """Images a processor second, the best of some rounds."""
    run(pixels[:BATCH])
    best = np.inf
    for _ in range(rounds):
        began = time.process_time()
        for i in range(0, len(pixels), BATCH):
            run(pixels[i : i + BATCH])
        best = min(best, time.process_time() - began)
    return len(pixels) / best


def graphs(folder: Path, pixels: np.ndarray) -> None:
    """The graph alone, without reading pictures."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    file = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    expected = session.run(["score"], {"pixels": pixels[:BATCH]})[0]
    found = rate(lambda x: session.run(["score", "map"], {"pixels": x}), pixels)
    print(f'"the graph, onnxruntime",,{found:.3g}', flush=True)

    import openvino

    core = openvino.Core()
    began = time.process_time()
    how = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(file), "CPU", how)
    start = time.process_time() - began
    off = np.abs(compiled({"pixels": pixels[:BATCH]})["score"] / expected - 1).max()
    found = rate(lambda x: compiled({"pixels": x}), pixels)
    print(f'"the graph, OpenVINO (scores {off:.1g} off)",{start:.3g},{found:.3g}', flush=True)


def anomalib(folder: Path) -> None:
    """PatchCore's `predict`, with random weights: they change no time."""
    began = time.process_time()
    import torch
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from anomalib.models import Patchcore

    torch.set_num_threads(1)
    learn = len(list((folder / "learn").iterdir()))
    plain = Patchcore.configure_pre_processor(image_size=(224, 224))
    model = Patchcore(
        backbone=NETWORK, layers=LAYERS, pre_trained=False, num_neighbors=1, pre_processor=plain,
        coreset_sampling_ratio=PATCHES / (learn * GRID), evaluator=False, visualizer=False,
    )  # fmt: skip
    data = Folder(
        name="bricks", root=folder, normal_dir="learn", num_workers=0, train_batch_size=BATCH,
        eval_batch_size=BATCH, test_split_mode="none", val_split_mode="none",
    )  # fmt: skip
    engine = Engine(accelerator="cpu", devices=1, logger=False, default_root_dir=folder / "peer")
    loaded = time.process_time() - began
    data.setup()
    engine.fit(model=model, train_dataloaders=data.train_dataloader())
    times = {}
    for images in ("one", "new"):
        began = time.process_time()
        engine.predict(model=model, data_path=folder / images)
        times[images] = time.process_time() - began
    n = len(list((folder / "new").iterdir()))
    found = (n - 1) / (times["new"] - times["one"])
    print(f'"anomalib PatchCore, predict",{loaded + times["one"]:.3g},{found:.3g}', flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    files = sorted((folder / "new").iterdir())
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    graphs(folder, pixels)
    anomalib(folder)


if __name__ == "__main__":
    main()
