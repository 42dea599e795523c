"""An official checkpoint as a snapshot of ours."""

import math
from pathlib import Path

from torch import Tensor

from nearnd.files.arrays import save_tensors
from nearnd.files.snapshots import snapshot
from nearnd.generators._official import read_official
from nearnd.generators._reference import copy_named
from nearnd.generators.score_sde import ScoreSDE
from nearnd.networks.unet import UNet


def write_snapshot(
    model: ScoreSDE, weights: str | Path, take: str, shape: tuple[int, ...], folder: Path
) -> tuple[int, Path]:
    """The number of training steps behind the checkpoint, and the file written into `folder`.

    shape: of the images, (N, S, S, C). take: see `checkpoint.build`.
    ValueError, which names the tensor, if the checkpoint is not of exactly this network.
    """
    _, height, width, channels = shape
    if height != width:
        raise ValueError(f"the generator needs square images, got uint8 {shape}")
    found = read_official(weights, take)
    facts = model.header(height, channels)
    net = UNet(**facts["network"])
    try:
        if model.sde == "ve":
            _check_levels(found.sigmas, model.process)
        copy_named(net, found.weights)
    except ValueError as error:
        raise ValueError(
            f"{weights} is not of the network in the entry (model) at {height} pixels and"
            f" {channels} channels: {error}"
        ) from error
    file = snapshot(folder, found.step)
    save_tensors(
        file, {n: w.numpy() for n, w in net.state_dict().items()}, **facts, step=found.step
    )
    return found.step, file


def _check_levels(sigmas: Tensor | None, process: dict) -> None:
    """ValueError if the checkpoint was trained with other noise levels than the entry says."""
    if sigmas is None or not len(sigmas):
        return
    high, low = float(sigmas[0]), float(sigmas[-1])
    for name, found in (("sigma_max", high), ("sigma_min", low)):
        if not math.isclose(found, process[name], rel_tol=1e-3):
            raise ValueError(
                f"it was trained with {name} {found:.6g}, the entry has {process[name]}"
            )
    if process.get("num_scales", len(sigmas)) != len(sigmas):
        raise ValueError(
            f"it was trained with num_scales {len(sigmas)}, the entry has {process['num_scales']}"
        )
