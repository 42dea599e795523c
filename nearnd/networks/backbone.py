"""A backbone: a timm network without its classifier, in a file that says how to build it."""

import difflib
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from nearnd.files import header
from nearnd.files.arrays import AGAIN, load_tensors, save_tensors
from nearnd.files.header import WORDS, extended, number, record, several, whole
from nearnd.networks.precision import exact

PARAMETERS = 20_000  # of one network; timm's have 3,000 at most
BUFFERS = 2**30  # bytes of what a network computes when it is built

# What timm may be told: no argument that names a file or a place to fetch from; of its own
# description of a network the size of the input alone.
FOREIGN = (
    "device|dtype|pretrained|checkpoint|cache|model|variant|feature|kwargs|scriptable|exportable"
    "|no_jit"
)
NETWORK = record(
    model={"type": "string", "pattern": r"^\w+(\.\w+)?$", "maxLength": 100},
    kwargs={
        "type": "object",
        "properties": {
            "pretrained_cfg_overlay": record(input_size=several(whole(), 3, 3))
            | {"additionalProperties": False}
        },
        "patternProperties": {rf"^(?!{FOREIGN})[a-z]\w*$": WORDS},
        "additionalProperties": False,
    },
)
LEVELS, SCALES = several(number()), several(number(1e-6))  # means and deviations of channels
INPUT = record(channels=whole(most=64), size=whole(), resize=whole(), mean=LEVELS, std=SCALES)
FACTS = extended(INPUT, **NETWORK["properties"])


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


def create(facts: dict[str, Any], state: dict[str, Tensor] | None = None) -> nn.Module:
    """The network that `model` and `kwargs` of the facts describe, with random weights, or with
    those of `state`, which timm fits to it (position embeddings are resized, colours summed).

    Facts may come from a stranger's file: nothing is fetched, and no file read. ValueError if timm
    has no such network or cannot build it so.
    """
    import timm

    name, kwargs = facts["model"], dict(facts["kwargs"])
    header.check({"model": name, "kwargs": kwargs}, NETWORK, f"backbone {name}")
    if not timm.is_model(name):
        alike = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.3)
        raise ValueError(
            f"timm has no model {name!r}; it has {', '.join(alike)} and"
            " more: python -c 'import timm; print(timm.list_models())'"
        )
    overlay = kwargs.pop("pretrained_cfg_overlay", {})
    if state is not None:
        overlay = overlay | {"state_dict": state, "custom_load": False}
    try:
        return timm.create_model(
            name, pretrained=state is not None, num_classes=0, pretrained_cfg_overlay=overlay,
            **kwargs,
        )  # fmt: skip
    except Exception as error:  # timm's networks raise errors of many types
        raise ValueError(
            f"timm cannot build {name} with kwargs {facts['kwargs']} ({header.brief(error)})"
        ) from error


def width(model: nn.Module) -> int:
    """How many numbers `features` gives for an image: where the head has a hidden layer, as
    MobileNet's, those of that layer."""
    return getattr(model, "head_hidden_size", None) or model.num_features


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    """The weights as float32 arrays on the CPU, by name."""
    return {name: t.detach().cpu().numpy() for name, t in model.state_dict().items()}


def rebuilt(
    path: str | Path,
    weights: dict[str, np.ndarray],
    build: Callable[[], nn.Module],
    trial: Callable[[], Any] = lambda: None,
) -> nn.Module:
    """The network that `build` makes, with the weights of the file at `path`.

    It is built without memory first, where `trial` may call one as it will be called, and with it
    only if the file has exactly its tensors: what a damaged header asks for may be of any size.
    ValueError, which names the file, if they differ or a weight is not finite.
    """
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    there = {name: (tuple(t.shape), t.dtype) for name, t in tensors.items()}
    try:
        with torch.device("meta"), _at_most(PARAMETERS):
            empty = build()
            trial()
        wanted = {name: (tuple(t.shape), t.dtype) for name, t in empty.state_dict().items()}
        if odd := [name for name in wanted | there if wanted.get(name) != there.get(name)]:
            raise ValueError(
                f"{odd[0]} is {there.get(odd[0])} where {wanted.get(odd[0])} is needed"
            )
        if _nbytes(empty.buffers()) > BUFFERS + _nbytes(tensors.values()):
            raise ValueError("its buffers are too large")
        if odd := [name for name, t in tensors.items() if not bool(t.isfinite().all())]:
            raise ValueError(f"{odd[0]} has numbers that are not finite")
        net = build()
        net.load_state_dict(tensors)
    except Exception as error:  # networks raise errors of many types where a size is wrong
        what = error if isinstance(error, ValueError) else header.brief(error)
        raise ValueError(f"{path} does not hold the weights it names: {what}{AGAIN}") from error
    return net.eval()


def _nbytes(tensors: Iterable[Tensor]) -> int:
    return sum(t.nbytes for t in tensors)


@contextmanager
def _at_most(parameters: int) -> Iterator[None]:
    """Inside, a ValueError where networks get more parameters than this (each is a tensor)."""
    count = itertools.count(1)

    def registered(*_) -> None:
        if next(count) > parameters:
            raise ValueError(f"the network has more than {parameters} tensors")

    hook = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        hook.remove()


def save_backbone(path: str | Path, model: nn.Module, facts: dict[str, Any]) -> None:
    """Writes the weights and the facts (see `describe`) to one safetensors file."""
    save_tensors(path, weights_of(model), **facts)


def load_backbone(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a backbone file, in evaluation mode on the CPU, and its facts."""
    weights, facts = load_tensors(path)
    header.check(facts, FACTS, f"{path} is not a backbone file: it")
    build = partial(create, facts)
    shape = 1, len(facts["mean"]), facts["size"], facts["size"]
    return rebuilt(path, weights, build, lambda: tried(build(), shape)), facts


def tried(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """The features of one empty image."""
    return features(model.eval(), torch.empty(shape))


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
        self.head = nn.Linear(width(backbone), classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        return exact(self.head, features(self.backbone, x))  # (N, classes)
