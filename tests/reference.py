"""What tests of score SDEs share: the processes, an exact score, the numbers of the public code.

The numbers lie in fixtures/score_sde; NEARND_PARITY names a folder with more of the same kind.
"""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from nearnd.generators._discrete import DDPM, SMLD
from nearnd.generators._sde import VE, VP, SubVP, over

NUMBERS = Path(os.environ.get("NEARND_PARITY") or Path(__file__).parent / "fixtures/score_sde")
CONTINUOUS = [VE(0.01, 50.0), VP(), SubVP()]
DISCRETE = [SMLD(0.01, 50.0, num_scales=1000), DDPM(num_scales=1000)]
processes = pytest.mark.parametrize("sde", CONTINUOUS, ids=lambda s: s.name)
all_processes = pytest.mark.parametrize(
    "sde", CONTINUOUS + DISCRETE, ids=lambda s: type(s).__name__
)
PAIRS = sorted(p for p in NUMBERS.glob("*.json") if p.with_suffix(".npz").exists())
networks = pytest.mark.parametrize("file", PAIRS or [NUMBERS / "*.json"], ids=lambda p: p.stem)


def numbers(name: str) -> dict[str, torch.Tensor]:
    """The arrays of a file of numbers; skips the test where a larger set lacks the file."""
    if not (NUMBERS / name).exists():
        pytest.skip(f"NEARND_PARITY: there is no {name} in {NUMBERS}")
    return {key: torch.from_numpy(np.asarray(a)) for key, a in np.load(NUMBERS / name).items()}


def gaussian_score(sde, s0, mean=0.0):
    """The exact score of x_t when x_0 ~ N(mean, s0^2) in every pixel."""

    def score(x, t):
        m, std = (over(a) for a in sde.marginal(t))
        return -(x - m * mean) / ((s0 * m) ** 2 + std**2)

    return score


def close(got, expected, rel=1e-4):
    scale = expected.abs().max().clamp(min=1e-30)
    assert float((got - expected).abs().max() / scale) < rel


# ---- networks ----


def network(file: Path) -> tuple[dict, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The configuration of a network of the reference, its weights by name, and x, cond, y.

    y is the network's output; that of a discrete VE network is divided by the level `cond`.
    """
    tensors, description = numbers(f"{file.stem}.npz"), json.loads(file.read_text())
    weights = {}
    for i, (name, shape) in enumerate(description["state_dict"]):  # the rule stands in "fill"
        k = np.arange(math.prod(shape), dtype=np.float64)
        w = 0.05 * np.sin(0.7 * k + 1.3 * i)
        if len(shape) == 1:
            w += 1.0 if name.endswith(".weight") else 0.0
            w *= 20 if name.endswith(".W") else 1
        weights[name] = torch.from_numpy(w.astype(np.float32)).reshape(shape)
    return description["config"], weights, tensors


def levels(config: dict) -> np.ndarray:
    """The noise levels of a configuration, largest first: its buffer `sigmas`."""
    m = config["model"]
    return np.geomspace(m["sigma_max"], m["sigma_min"], m["num_scales"])


def unet_options(config: dict) -> dict:
    """Our arguments of UNet for a configuration; skips what is in no published one."""
    m, d = config["model"], config["data"]
    fixed = {"name": "ncsnpp", "nonlinearity": "swish", "conditional": True,
             "fir_kernel": [1, 3, 3, 1]}  # fmt: skip
    for key, value in fixed.items():
        if m.get(key, value) != value:
            pytest.skip(f"{key}: {m[key]} is in no published configuration")
    return {
        "size": d["image_size"], "channels": d["num_channels"], "nf": m["nf"],
        "channel_mult": m["ch_mult"], "blocks": m["num_res_blocks"],
        "attention": m["attn_resolutions"], "dropout": m["dropout"], "fir": m["fir"],
        "inner": m["progressive_input"].removeprefix("input_"),
        "outer": m["progressive"].removeprefix("output_"),
        "embedding": m["embedding_type"], "centered": d["centered"],
        "by_sigma": m["scale_by_sigma"] and m["embedding_type"] == "fourier",
        "resblock": m.get("resblock_type", "biggan"),
        "resample_conv": m.get("resamp_with_conv", True),
        "combine": m.get("progressive_combine", "sum"), "rescale": m.get("skip_rescale", True),
    }  # fmt: skip


def entry(config: dict) -> dict:
    """Our arguments of score_sde for a configuration; skips what its SDE does not go with."""
    m, t = config["model"], config["training"]
    network, ve = unet_options(config), t["sde"] == "vesde"
    if network["centered"] == ve or m["scale_by_sigma"] != ve:
        pytest.skip("a mixture of VE and VP")
    continuous = t.get("continuous", True)
    if (network["embedding"] == "fourier") != (ve and continuous):
        pytest.skip("an embedding that its SDE does not have")
    for name in ("size", "channels", "embedding", "centered", "by_sigma"):  # follow from the rest
        del network[name]
    more = {name: network.pop(name) for name in ("resblock", "resample_conv", "combine", "rescale")}
    found = {"sde": t["sde"].removesuffix("sde"), "continuous": continuous, "network": more}
    if not continuous:
        found["num_scales"] = m["num_scales"]
    if ve:
        found |= {"sigma_min": m["sigma_min"], "sigma_max": float(m["sigma_max"])}
    return network | found
