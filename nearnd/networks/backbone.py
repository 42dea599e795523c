"""A backbone: a timm network without its classifier, in a file that says how to build it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.files.arrays import load_tensors, save_tensors


def describe(
    model: nn.Module, name: str, kwargs: dict, mean, std, resize: int | None = None
) -> dict[str, Any]:
    """The facts of a backbone: what builds it, and what its input looks like.

    `mean` and `std` are one number for all channels or one per channel, for pixels in [0, 1].
    "size" is the side of the square input; "resize" the side of the whole image from which it is
    cut, `size` if not given.
    """
    channels = kwargs.get("in_chans", model.default_cfg["input_size"][0])
    patches = getattr(model, "patch_embed", None)
    size = getattr(patches, "img_size", None) or model.default_cfg["input_size"][1:]
    facts = {"model": name, "kwargs": kwargs, "channels": channels, "size": int(size[0])}
    for what, value in (("mean", mean), ("std", std)):
        values = [float(v) for v in np.atleast_1d(value)]
        values = values * channels if len(values) == 1 else values
        if len(values) != channels:
            raise ValueError(
                f"backbone {name} has {channels} input channels, but {what} is {value}; give one"
                f" number or {channels} as `{what}` of the backbone's entry"
            )
        facts[what] = values
    return facts | {"resize": int(resize or facts["size"])}


def create(facts: dict[str, Any]) -> nn.Module:
    """The network that the facts describe, with random weights; never touches the network."""
    import timm

    return timm.create_model(facts["model"], pretrained=False, num_classes=0, **facts["kwargs"])


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    """The weights as float32 arrays on the CPU, by name."""
    return {name: t.detach().cpu().numpy() for name, t in model.state_dict().items()}


def put_weights(model: nn.Module, weights: dict[str, np.ndarray], source: str | Path) -> None:
    """Copies the arrays into the model; ValueError naming `source` unless every name fits."""
    try:
        tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{source} does not hold the weights it names: {error}") from error


def save_backbone(path: str | Path, model: nn.Module, facts: dict[str, Any]) -> None:
    """Writes the weights and the facts (see `describe`) to one safetensors file."""
    save_tensors(path, weights_of(model), **facts)


def load_backbone(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a backbone file, in evaluation mode on the CPU, and its facts."""
    weights, facts = load_tensors(path)
    missing = {"model", "kwargs", "mean", "std", "channels", "size", "resize"} - facts.keys()
    if missing:
        raise ValueError(f"{path} is not a backbone file: it does not say {sorted(missing)}")
    model = create(facts)
    put_weights(model, weights, path)
    return model.eval(), facts


def features(model: nn.Module, x: Tensor) -> Tensor:
    """What the classifier of the network would see, (N, D): for a ViT with class-token pooling
    the class token after the last norm, for a CNN the pooled map."""
    return model.forward_head(model.forward_features(x), pre_logits=True)  # (N, D)


def blocks(model: nn.Module) -> list[list[str]]:
    """The names of the parameters in the order the image meets them: stem, block 1, block 2, ...

    The stem of a ViT is patch embedding, class token and position embedding; the last norm
    belongs to the last block.
    """
    from timm.models import group_parameters

    groups = group_parameters(model, model.group_matcher(coarse=False))
    *first, last = (groups[i] for i in sorted(groups))
    if all(name.startswith("head") for name in last):  # a norm there, as in ConvNeXt
        first[-1].extend(last)
        return first
    return [*first, last]


class Features(nn.Module):
    """`features` as a network."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        return features(self.backbone, x)  # (N, D)


class Classifier(nn.Module):
    """A backbone and a linear head on its features, with PyTorch's own initial head."""

    def __init__(self, backbone: nn.Module, classes: int):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.num_features, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        return self.head(features(self.backbone, x))  # (N, classes)
