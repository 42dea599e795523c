"""Any timm network: pretrained, from a file of weights, or untrained."""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from nearnd.contracts import Progress
from nearnd.files.fetch import fetch, mirrors, verify

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
        import timm
        import torch

        from nearnd.networks.backbone import describe, weights_of

        if not timm.is_model(self.model):
            alike = difflib.get_close_matches(self.model, timm.list_models(), n=3, cutoff=0.3)
            raise ValueError(
                f"timm has no model {self.model!r}; it has {', '.join(alike)} and"
                " more: python -c 'import timm; print(timm.list_models())'"
            )
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
        import timm
        from safetensors import SafetensorError

        overlay, file = {}, None
        if self.weights == "pretrained":
            file = self._published(Path(folder), progress)
        elif self.weights != "none":
            file = Path(self.weights)
            verify(file, self.sha256)
        if file:
            # official ViT checkpoints (.npz) need the model's own reader; timm never unpickles code
            overlay = {"file": os.fspath(file), "custom_load": file.suffix == ".npz"}
        try:
            with _missing_tensors() as missing:
                network = timm.create_model(
                    self.model, pretrained=self.weights != "none", num_classes=0,
                    pretrained_cfg_overlay=overlay, **self.kwargs,
                )  # fmt: skip
        except (
            OSError, RuntimeError, KeyError, ValueError, AssertionError, SafetensorError
        ) as error:  # fmt: skip
            what = f"{file} does not fit" if file else "timm cannot build"
            raise ValueError(
                f"{what} {self.model} with kwargs {self.kwargs} ({type(error).__name__}: {error})"
            ) from error
        if missing:
            raise ValueError(
                f"{file or 'the published file'} does not fit {self.model} with kwargs"
                f" {self.kwargs}: it lacks {len(missing)} tensors of the network, the first of"
                f" them {missing[0]!r}"
            )
        return network

    def _published(self, folder: Path, progress: Progress) -> Path:
        """The published file in `folder`: from mirrors, or from where timm would take it."""
        link = _link(self.model)
        name = self.model + (Path(urlsplit(link).path).suffix or ".safetensors")
        hint = (
            f"Without internet: take {link or 'it from its authors'} on another machine and name it"
            f" {name}; or put it anywhere and set `weights: <that file>` in the backbone's entry."
        )
        archive = {"name": name, "urls": [link] if link else [], "sha256": self.sha256}
        archive["hint"] = hint
        fetch(archive, folder / name, mirrors(), progress)
        return folder / name


def _link(model: str) -> str:
    """Where timm downloads a model's weights from; empty if it says nothing."""
    import timm

    cfg = timm.get_pretrained_cfg(model, allow_unregistered=True)
    if cfg and cfg.hf_hub_id:
        hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        return f"{hub}/{cfg.hf_hub_id}/resolve/main/{cfg.hf_hub_filename or 'model.safetensors'}"
    return (cfg and cfg.url) or ""


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
