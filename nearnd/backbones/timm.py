"""Any timm network: pretrained, from a file of weights, or untrained."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from nearnd.contracts import Progress
from nearnd.files.fetch import fetch, mirrors, verify
from nearnd.files.header import brief

FILES = {
    "weights": {
        "checksum": "sha256",
        "words": ["pretrained", "none"],
        "hint": "The file may be .safetensors, .npz or .pth.",
    }
}
TOY = {
    "model": "vit_tiny_patch16_224", "weights": "none",
    "kwargs": {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2},
}  # fmt: skip
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def seeded(*, weights: str, **rest) -> bool:
    """See contracts.py."""
    return weights == "none"


def work(about, *, model: str, kwargs: dict | None, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    return {"network": flops.backbone(model, kwargs or {})}


def features(*, kwargs: dict | None, **rest) -> int | None:
    """See contracts.py: where the entry says it."""
    return (kwargs or {}).get("embed_dim")


def sees(*, resize: int | None, **rest) -> int | None:
    """See contracts.py: where the entry says it."""
    return resize


def fetches(*, model: str, weights: str, **rest) -> list[tuple[list[str], str]]:
    """See contracts.py: names as timm's links end."""
    if weights == "pretrained":
        return [([f"{model}{end}" for end in (".safetensors", ".pth", ".tar")], "timm's hub")]
    return [([Path(urlsplit(weights).path).name], weights)] if "://" in weights else []


@dataclass
class Timm:
    """Backbone (contracts.py): the network `model` of timm, called with `kwargs`, without its
    classifier.

    `weights`: "pretrained" (`<model>.safetensors` in `mirrors`, or where timm has it), "none"
    (random), or a .safetensors, .npz or .pth file: a path, a link, or a name to look for in
    `mirrors`. `sha256` is checked if given; without it that of a fetched file is kept at its first
    use and enforced. `mean`, `std`: of the pixels in [0, 1]; null takes those of timm's entry.
    Images are resized to `resize`, by default 256/224 of the input, from which the input is cut
    (FITYMI).
    """

    model: str = "vit_base_patch16_224.orig_in21k"  # FITYMI: ViT-B/16, ImageNet-21k
    weights: str = "pretrained"
    kwargs: dict | None = None
    mean: float | list[float] | None = IMAGENET_MEAN  # FITYMI, although trained with 0.5 (C4)
    std: float | list[float] | None = IMAGENET_STD
    resize: int | None = None
    sha256: str | None = None

    def __post_init__(self):
        self.kwargs = self.kwargs or {}

    def make(self, images, classes, *, seed: int, folder: Path, progress) -> tuple[dict, dict]:
        """The weights and facts of the network; needs no images."""
        import torch

        from nearnd.networks.backbone import describe, weights_of

        torch.manual_seed(seed)
        network = self._with_weights(folder, progress)
        cfg = network.pretrained_cfg
        facts = describe(
            network, self.model, self.kwargs,
            cfg["mean"] if self.mean is None else self.mean,
            cfg["std"] if self.std is None else self.std,
        )  # fmt: skip
        facts["resize"] = self.resize or round(facts["size"] * 256 / 224)
        return weights_of(network), facts | {"weights": self.weights}

    def _with_weights(self, folder: Path, progress: Progress):
        """The network; ValueError, which names the file, if its weights are of another one."""
        import torch

        from nearnd.files.weights import read_weights
        from nearnd.networks.backbone import create

        facts = {"model": self.model, "kwargs": self.kwargs}
        with torch.device("meta"):  # before anything is fetched
            create(facts)
        file = self.obtain(folder, progress)
        if file is None:
            return create(facts)
        if file.suffix == ".npz":  # the official ViT's, which need the model's own reader
            return _from_arrays(create(facts), read_weights(file), file)
        state = self.tensors(file)
        try:
            with _missing_tensors() as missing:
                network = create(facts, state)
        except ValueError as error:
            raise ValueError(f"{file} does not fit {self.model}: {error}") from error
        if missing:
            raise ValueError(
                f"{file} does not fit {self.model} with kwargs"
                f" {self.kwargs}: it lacks {len(missing)} tensors of the network, the first of"
                f" them {missing[0]!r}"
            )
        return network

    def tensors(self, file: Path) -> dict:
        """The network's tensors by timm's names."""
        from nearnd.files.weights import state_dict

        return state_dict(file)

    def obtain(self, folder: Path, progress: Progress, **how) -> Path | None:
        """The file of weights: the one that is given, or fetched into `folder` from mirrors and the
        link that is given, or where timm would take it; None for random ones. `how`: of `fetch`."""
        if self.weights == "none":
            return None
        if self.weights == "pretrained":
            link = _link(self.model)
            name = self.model + (Path(urlsplit(link).path).suffix or ".safetensors")
        elif "://" in self.weights:
            link, name = self.weights, Path(urlsplit(self.weights).path).name
        else:
            verify(self.weights, self.sha256)
            return Path(self.weights)
        hint = (
            f"Without internet: take {link or 'it from its authors'} on another machine and name it"
            f" {name}; or put it anywhere and set `weights: <that file>` in the backbone's entry."
        )
        archive = {"name": name, "urls": [link] if link else [], "sha256": self.sha256}
        archive["hint"] = hint
        fetch(archive, Path(folder, name), mirrors(), progress, **how)
        return Path(folder, name)


def _link(model: str) -> str:
    """Where timm downloads a model's weights from; empty if it says nothing."""
    import timm

    cfg = timm.get_pretrained_cfg(model, allow_unregistered=True)
    if cfg and cfg.hf_hub_id:
        hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        return f"{hub}/{cfg.hf_hub_id}/resolve/main/{cfg.hf_hub_filename or 'model.safetensors'}"
    return (cfg and cfg.url) or ""


def _from_arrays(network, arrays: dict, file: Path):
    """The network with the arrays of an official checkpoint. timm reads them from a copy in memory,
    which holds nothing but numbers."""
    import numpy as np

    copy = io.BytesIO()
    try:
        np.savez(copy, **arrays)
        copy.seek(0)
        network.load_pretrained(copy)
    except Exception as error:  # of many types, where arrays are missing or of other shapes
        raise ValueError(
            f"{file} does not fit {network.pretrained_cfg['architecture']} ({brief(error)})"
        ) from error
    return network


@contextmanager
def _missing_tensors() -> Iterator[list[str]]:
    """The names, filled in by the end, of the tensors that weights loaded in here did not have.

    A network without its classifier is loaded leniently by timm, which only logs what is missing
    and leaves it random.
    """
    from torch import nn

    missing, load = [], nn.Module.load_state_dict

    def watched(*args, **kwargs):
        result = load(*args, **kwargs)
        missing.extend(result.missing_keys)
        return result

    with patch.object(nn.Module, "load_state_dict", watched):
        yield missing


build = Timm
