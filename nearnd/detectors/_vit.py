"""What the detectors on a backbone share: how it sees images, its features, its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from nearnd.contracts import Progress, silent
from nearnd.networks.backbone import features
from nearnd.networks.micro_batch import MicroBatch
from nearnd.networks.precision import autocast, dtype, for_inference
from nearnd.networks.transform import View, view

BATCH = 64


def view_of(facts: dict, resize: int | None, crop: int | None, **random) -> View:
    """How the backbone of `facts` sees images; None takes what the backbone states.

    ValueError if the crop is not an input of the network.
    """
    crop = crop or facts["size"]
    if crop != facts["size"] and facts["model"].startswith(("vit_", "deit", "beit", "swin")):
        raise ValueError(
            f"crop is {crop}, but {facts['model']} takes images of {facts['size']} pixels: leave"
            " `crop` out of the detector's entry, or give the backbone kwargs: {img_size: ...}"
        )
    how = View(resize or facts["resize"], crop, tuple(facts["mean"]), tuple(facts["std"]))
    return how._replace(**random).check()


def embed(
    model: nn.Module, pixels: np.ndarray, how: View, precision: str, progress: Progress = silent
) -> np.ndarray:
    """The features float32 (N, D) of uint8 (N, H, W, C), in evaluation mode, centre crop.

    Fewer images at a time where the GPU's memory does not suffice."""
    on = next(model.parameters()).device
    kind = dtype(model, on, precision)
    quick = for_inference(model.eval(), kind)
    out = np.empty((len(pixels), model.num_features), np.float32)

    def fill(rows: slice) -> None:
        x = view(pixels[rows], how).to(on)
        out[rows] = features(quick, x).float().cpu().numpy()  # (n, D)
        progress(rows.stop, len(pixels))

    with torch.inference_mode(), autocast(on, kind):
        MicroBatch(BATCH).each(len(pixels), fill)
    return out


def fitted(thing, call: str):
    """`thing`, or an error for a detector that was asked for features before it had any."""
    if thing is None:
        raise ValueError(f"{call}: call fit or load first")
    return thing


def as_path(backbone: Path | None, who: str) -> Path:
    """The path, or an error that says what the entry lacks."""
    if backbone is None:
        raise ValueError(
            f"{who} needs a pretrained network: set `backbone` in the detector's entry"
        )
    return Path(backbone)
