"""Any timm network: pretrained, from a file of weights, or untrained."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from nearnd.contracts import Images, Progress
from nearnd.fetch import FetchError, fetch, mirrors

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Timm:
    """Backbone (contracts.py) whose weights come from outside."""

    def __init__(self, model, weights, kwargs, mean, std, resize, sha256):
        self.model, self.weights, self.kwargs = model, weights, kwargs
        self.mean, self.std, self.resize, self.sha256 = mean, std, resize, sha256

    def make(
        self, images: Images | None, classes: list[str], *, seed: int, folder: Path,
        progress: Progress,
    ) -> tuple[dict, dict]:  # fmt: skip
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
            file = self._from_mirror(folder, progress)
        elif self.weights != "none":
            file = Path(self.weights)
            self._check(file)
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
            raise ValueError(f"{self._sorry(file)} ({type(error).__name__}: {error})") from error
        if missing:
            raise ValueError(
                f"{file or 'the published file'} does not fit {self.model} with kwargs"
                f" {self.kwargs}: it lacks {len(missing)} tensors of the network, the first of"
                f" them {missing[0]!r}"
            )
        return network

    def _from_mirror(self, folder: Path, progress: Progress) -> Path | None:
        """The file `<model>.safetensors`, if a mirror has it; timm downloads if none does."""
        if not mirrors():
            return None
        file = Path(folder) / f"{self.model}.safetensors"
        archive = {"name": file.name, "urls": [], "sha256": self.sha256}
        try:
            fetch(archive, file, mirrors(), progress)
        except FetchError:
            return None
        return file

    def _check(self, file: Path) -> None:
        if not file.is_file():
            raise ValueError(
                f"weights of {self.model}: there is no file {self.weights!r}; `weights` may be"
                " pretrained, none, or a .safetensors, .npz or .pth file"
            )
        if self.sha256:
            with open(file, "rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
            if found != self.sha256:
                raise ValueError(f"{file} has sha256 {found}, the entry says {self.sha256}")

    def _sorry(self, file: Path | None) -> str:
        import timm

        if self.weights == "none":
            return f"timm cannot build {self.model} with kwargs {self.kwargs}"
        if file:
            return f"{file} does not fit {self.model} with kwargs {self.kwargs}"
        cfg = timm.get_pretrained_cfg(self.model, allow_unregistered=True)
        page = f"https://huggingface.co/{cfg.hf_hub_id}" if cfg and cfg.hf_hub_id else "its authors"
        return (
            f"the weights of {self.model} could not be fetched. Without internet: take"
            f" model.safetensors from {page} on another machine, and put it as"
            f" {self.model}.safetensors into a folder of `mirrors:`, or anywhere and set `weights:"
            " <that file>` in the backbone's entry"
        )


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


def build(
    model: str = "vit_base_patch16_224.orig_in21k",  # FITYMI: ViT-B/16, ImageNet-21k
    weights: str = "pretrained",
    kwargs: dict | None = None,
    mean: float | list[float] | None = IMAGENET_MEAN,  # FITYMI, although trained with 0.5 (C4)
    std: float | list[float] | None = IMAGENET_STD,
    resize: int | None = None,
    sha256: str | None = None,
) -> Timm:
    """The network `model` of timm, called with `kwargs`, without its classifier.

    `weights`: "pretrained" (`<model>.safetensors` in `mirrors`, or downloaded by timm), "none"
    (random), or a .safetensors, .npz or .pth file, whose `sha256` is checked if given. `mean`,
    `std`: of the pixels in [0, 1]; null takes those of timm's entry. Images are resized to
    `resize`, by default 256/224 of the input, from which the input is cut (FITYMI).
    """
    return Timm(model, weights, dict(kwargs or {}), mean, std, resize, sha256)
