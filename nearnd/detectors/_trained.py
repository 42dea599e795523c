"""What trained detectors share: fitting, the file of weights and facts, embedding in batches."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.files import header
from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.files.header import BOOL, whole
from nearnd.jobs.device import device
from nearnd.jobs.training_loop import loop, train
from nearnd.networks import backbone as networks
from nearnd.networks.backbone import Classifier, create, features
from nearnd.networks.backward import for_training
from nearnd.networks.folded import folded
from nearnd.networks.micro_batch import MicroBatch
from nearnd.networks.precision import autocast, dtype, for_inference
from nearnd.networks.transform import View, view
from nearnd.networks.viewed import Viewed

BATCH = 64  # images embedded at a time
OF_ONE_SIZE = ("vit_", "deit", "beit", "swin")  # networks that take images of no other side
VIEW = {  # a `View` as a list
    "type": "array", "minItems": len(View._fields), "maxItems": len(View._fields),
    "prefixItems": [whole(), whole(), networks.LEVELS, networks.SCALES, whole(0), BOOL, BOOL],
}  # fmt: skip


class Given(NamedTuple):
    """What `fit` was given; see contracts.py."""

    normal: Images
    outliers: np.ndarray | None = None
    backbone: Path | None = None
    judge: Path | None = None
    seed: int = 0
    folder: Path | None = None
    progress: Progress = silent

    def train(self, net: nn.Module, optimizer, loss: Callable, **recipe) -> None:
        """`training_loop.train` with this seed, and this folder and progress if not given."""
        here = {"seed": self.seed, "folder": self.folder, "progress": self.progress}
        train(net, optimizer, loss, **here | recipe)

    def loop(self, step: Callable, parts: dict, **recipe) -> None:
        """`training_loop.loop`, likewise: for several networks and optimizers."""
        here = {"seed": self.seed, "folder": self.folder, "progress": self.progress}
        loop(step, parts, **here | recipe)

    def pair(self, who: str) -> tuple[np.ndarray, np.ndarray]:
        """The pixels of normal images and outliers, or ValueError if there are none of one kind or
        they differ in size."""
        count = 0 if self.outliers is None else len(self.outliers)
        if not count or not len(self.normal):
            raise ValueError(
                f"{who} needs normal images and outliers, it got {len(self.normal)} and {count}:"
                " set `outliers` in the detector's entry"
            )
        pixels = self.normal.pixels
        if self.outliers.shape[1:] != pixels.shape[1:]:
            raise ValueError(
                f"outliers are images of {self.outliers.shape[1:]}, normal ones of"
                f" {pixels.shape[1:]}: give both the same size (`size` of the datasets)"
            )
        return pixels, self.outliers


class Trained:
    """Detector (contracts.py): a network `net`, and the `facts` (JSON values) that build it again.

    A kind is a dataclass, its options the fields. It adds `learn(given)`, which sets both;
    `untrained()`, the network of the facts; `FACTS`, what these may be; `trial()`, which calls such
    a network with an input of their size; and `embed`.
    """

    FACTS = header.record()
    net = None

    @property
    def kind(self) -> str:
        """The name of the kind's file."""
        return type(self).__module__.rpartition(".")[2]

    def fit(self, normal: Images | None, **given) -> None:
        """See `Given`, and the kind's `learn`."""
        self.learn(Given(normal, **given))
        self.net.eval()

    def fitted(self, call: str) -> nn.Module:
        """The network, or an error for a detector that was asked for features before it had any."""
        if self.net is None:
            raise ValueError(f"{call}: call fit or load first")
        return self.net

    def trial(self) -> None:
        """Of a network for square images of one size, the facts `side` and `channels`."""
        side, channels = self.facts["side"], self.facts["channels"]
        self.untrained().eval()(torch.empty(1, channels, side, side))

    def check_size(self, pixels: np.ndarray) -> None:
        """ValueError unless images (N, H, W, C) are of that size."""
        right = (self.facts["side"], self.facts["side"], self.facts["channels"])
        if pixels.shape[1:] != right:
            raise ValueError(
                f"images are {pixels.shape[1:]}, this {self.kind} detector was trained on {right}"
            )

    def save(self, path: Path) -> None:
        weights = networks.weights_of(self.fitted("save"))
        save_tensors(path, weights, detector=self.kind, **self.facts)

    def load(self, path: Path) -> None:
        weights, facts = load_tensors(path)
        if facts.pop("detector", None) != self.kind:
            raise ValueError(f"{path} is not the file of a `{self.kind}` detector")
        header.check(facts, self.FACTS, path)
        self.facts: dict[str, Any] = facts
        self.net = networks.rebuilt(path, weights, self.untrained, self.trial).to(device())


@dataclass
class OnBackbone(Trained):
    """A detector on a pretrained network."""

    resize: int | None = None  # the shorter side of the resized image; null: the backbone file's
    crop: int | None = None  # the side of the centre that is embedded, of a random part in training
    # where images are shifted; null: the backbone file's (224 of 256 for FITYMI's)
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # of the network

    FACTS = header.record(backbone=networks.FACTS, view=VIEW)

    def open(self, given: Given, **random) -> nn.Module:
        """The backbone on the CPU, in evaluation mode; facts are what it and its input look like,
        with `random` changes of training images (see `View`).

        ValueError if there is no backbone or no normal image.
        """
        if given.normal is not None and not len(given.normal):
            raise ValueError(
                f"{self.kind} needs normal training images, this task has none: choose another"
                " `normals` or dataset in the experiment's entry"
            )
        if given.backbone is None:
            raise ValueError(
                f"{self.kind} needs a pretrained network: set `backbone` in the detector's entry"
            )
        model, facts = networks.load_backbone(given.backbone)
        for_training(model, dtype(model, device(), self.precision, training=True), device())
        how = view_of(facts, self.resize, self.crop, **random)
        self.facts = {"backbone": facts, "view": list(how)}
        return model

    def untrained(self, model: nn.Module | None = None) -> nn.Module:
        """The backbone, a new one if not given; with a linear head where facts state `classes`."""
        model = self.bare() if model is None else model
        classes = self.facts.get("classes")
        return Classifier(model, classes) if classes else model

    def bare(self) -> nn.Module:
        """A new backbone, as the facts say."""
        return create(self.facts["backbone"])

    def trial(self) -> None:
        networks.tried(self.bare(), self.taken())

    def taken(self) -> tuple[int, ...]:
        """The shape of what the network takes for one image."""
        how = self.how.check()
        return 1, len(how.mean), how.crop, how.crop

    @property
    def how(self) -> View:
        """How the network sees images."""
        return View(*self.facts["view"])

    def in_precision(self, net: nn.Module, whole: nn.Module | None = None) -> Callable:
        """The function x -> net(x) on the network's device, in the entry's precision, where it is
        left open that for the `whole` network, which `net` may be a part of."""
        on = next(net.parameters()).device
        kinds = [dtype(whole or net, on, self.precision, training) for training in (False, True)]

        def run(x: Tensor):
            with autocast(on, kinds[torch.is_grad_enabled()]):
                return net(x.to(on))

        return run

    def without_norms(self, net: nn.Module, of: Callable = features) -> nn.Module:
        """The backbone, in evaluation mode, as it is computed faster; see `folded`."""
        return folded(net.eval(), self.taken(), of)

    def features_of(self, net: nn.Module, pixels: np.ndarray, progress: Progress = silent):
        """The features float32 (N, D) of uint8 (N, H, W, C), in evaluation mode, centre crop."""
        on, how = next(net.parameters()).device, self.how
        kind = dtype(net, on, self.precision)
        quick = for_inference(self.without_norms(net), kind)
        with autocast(on, kind):
            return batched(lambda x: [features(quick, view(x, how).to(on))], pixels, progress)[0]

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D)}: what the network's classifier would see, of a ViT the class
        token after the last norm."""
        return {"features": self.features_of(self.fitted("embed"), pixels, progress)}

    def graph(self, side: int) -> nn.Module:
        """See contracts.py."""
        net = networks.Features(self.fitted("graph"))
        return Graph(Viewed(self.how, side), net, lambda x: {"features": net(x)})


class Graph(nn.Module):
    """From pixels uint8 (n, S, S, C) to what a detector embeds, {name: tensor}.

    of: a function of the network's input that calls the network `net`, which is part of this one.
    """

    def __init__(self, seen: Viewed, net: nn.Module, of: Callable[[Tensor], dict[str, Tensor]]):
        super().__init__()
        self.seen, self.net, self.of = seen, net, of

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        return self.of(self.seen(pixels))


def batched(of: Callable, pixels: np.ndarray, progress: Progress, batch: int = BATCH) -> list:
    """Arrays float32 (N, ...) of the tensors (n, ...) that `of` makes of n images at a time.

    Fewer images at a time where the GPU's memory does not suffice.
    """
    n, whole = len(pixels), []
    some = pixels if n else np.zeros((1, *pixels.shape[1:]), np.uint8)  # for the shapes

    def fill(rows: slice) -> None:
        parts = of(some[rows])
        if not whole:
            whole.extend(np.empty((len(some), *part.shape[1:]), np.float32) for part in parts)
        for array, part in zip(whole, parts, strict=True):
            array[rows] = part.float().cpu().numpy()
        progress(rows.stop, len(some))

    with torch.inference_mode():
        MicroBatch(batch).each(len(some), fill)
    return [array[:n] for array in whole]


def unit(h: np.ndarray) -> np.ndarray:
    """Features (N, D) scaled to length 1."""
    return h / np.linalg.norm(h, axis=1, keepdims=True).clip(1e-12)


def view_of(facts: dict, resize: int | None, crop: int | None, **random) -> View:
    """How the backbone of `facts` sees images; None takes what the backbone states.

    ValueError if the crop is not an input of the network.
    """
    crop = crop or facts["size"]
    if crop != facts["size"] and facts["model"].startswith(OF_ONE_SIZE):
        raise ValueError(
            f"crop is {crop}, but {facts['model']} takes images of {facts['size']} pixels: leave"
            " `crop` out of the detector's entry, or give the backbone kwargs: {img_size: ...}"
        )
    how = View(resize or facts["resize"], crop, tuple(facts["mean"]), tuple(facts["std"]))
    return how._replace(**random).check()
