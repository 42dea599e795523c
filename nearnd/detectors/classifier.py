"""A classifier of the normal classes, for the scores that read its logits (post-hoc detection).

"A Unified Survey" (SURV) takes the classifiers of Hendrycks et al., "Deep Anomaly Detection with
Outlier Exposure", 2019, before they saw an outlier: WRN-40-2 with dropout 0.3, 100 epochs. The rest
of the recipe is that of their released code. Known differences: random crops repeat the border
(theirs pad with zeros), and pixels are normalised by the mean and deviation of the training images
(theirs by CIFAR-10's for CIFAR-100 too).
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import VIEW, Given, OnBackbone, batched, view_of
from nearnd.files.header import either, extended, number, record, whole
from nearnd.jobs.device import device
from nearnd.networks import backbone as networks
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.schedules import cosine
from nearnd.networks.transform import View, statistics, view
from nearnd.networks.wide_resnet import WideResNet, check_depth, stage_widths

NEEDS = ["labels"]
EMBEDS = ["features", "logits", "odin", "react"]
PREDICTS = "logits"
RANGES = {"percentile": (0, 100)}
TRUNK = extended(
    networks.INPUT, depth=whole(10, 1000), width=whole(most=1000), dropout=number(0, 1)
)
log = logging.getLogger("nearnd")


def work(about, *, depth: int, width: int, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    small = about.backbone or flops.wide_resnet(about.side, about.channels, depth, width)
    return {"network": small, "shown": epochs * about.images, "batch": batch}


class Trunk(WideResNet):
    """WRN-`depth`-`width`, called as timm's networks are, so that it can stand where a backbone
    does."""

    def __init__(self, facts: dict):
        widths = stage_widths(facts["width"])
        per_stage = (facts["depth"] - 4) // 6
        super().__init__(facts["channels"], widths, per_stage, facts["dropout"])
        self.num_features, self.per_stage = widths[-1], per_stage

    def forward_features(self, x: Tensor) -> Tensor:
        return self(x)  # (N, D)

    def forward_head(self, h: Tensor, pre_logits: bool) -> Tensor:
        return h


@dataclass
class LabelledClassifier(OnBackbone):
    """A classifier of the labelled normal images, trained with SGD and a cosine to 1e-6: a wide
    residual network from scratch, or the `backbone` of the detector's entry, all of it trained.
    ODIN's step is computed in fp32, whatever the `precision`."""

    depth: int = 40  # layers, 6n + 4; SURV; with `width`, `dropout` of no effect on a backbone
    width: int = 2
    dropout: float = 0.3
    epochs: int = 100  # SURV; what follows, to `flip`, is Outlier Exposure's released code
    batch: int = 128
    lr: float = 0.1  # a smaller one suits a backbone
    momentum: float = 0.9  # Nesterov's
    weight_decay: float = 5e-4
    shift: int = 4  # training images are moved by up to so many pixels
    flip: bool = True  # and mirrored half of the time; not for digits and letters
    temperature: float = 1000.0  # ODIN's
    eps: float = 0.0014  # ODIN's, for pixels in [0, 1]; the authors choose it on anomalies
    percentile: float = 90.0  # ReAct's, of all features of all training images

    FACTS = record(
        backbone=either(networks.FACTS, TRUNK), view=VIEW, classes=whole(2), clip=number()
    )

    def __post_init__(self):
        check_depth(self.depth, "classifier")

    def learn(self, given: Given) -> None:
        """Cross-entropy on the labels; then what `measure` reads. ValueError where there is only
        one class."""
        labels = self.prepare(given)
        self.classify(given, labels)
        self.measure(given, labels)

    def prepare(self, given: Given) -> np.ndarray:
        """The untrained network with its facts, and the classes int64 (N,) of the images: 0..K-1 in
        the order of their labels, in which `not-3` leaves a hole."""
        pixels = given.normal.pixels
        classes, labels = np.unique(given.normal.labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{self.kind}: all normal images are of one class. MSP, MaxLogit, ODIN and Energy"
                " are undefined for one class; set `normals: all` or `each-not` in the experiment's"
                " entry"
            )
        random, trunk = {"shift": self.shift, "flip": self.flip}, None
        torch.manual_seed(given.seed)
        if given.backbone is None:
            mean, std = statistics(pixels)
            side = min(pixels.shape[1:3])
            facts = {"model": "wide_resnet", "channels": pixels.shape[3], "size": side}
            facts |= {"depth": self.depth, "width": self.width, "dropout": self.dropout}
            facts |= {"resize": side, "mean": mean, "std": std}
            self.facts = {
                "backbone": facts,
                "view": list(view_of(facts, self.resize, self.crop, **random)),
            }
        else:
            trunk = self.open(given, **random)
        self.facts["classes"] = len(classes)
        self.net = self.untrained(trunk).to(device())
        return labels

    def classify(self, given: Given, labels: np.ndarray, **stage) -> None:
        """`epochs` of the network; `stage`: see `training_loop.stages`."""
        pixels, net = given.normal.pixels, self.net
        run, how = self.in_precision(net), self.how
        n, batch = len(pixels), self.batch

        def loss(step: int) -> Tensor:
            rows = batch_rows(step, n, batch, given.seed)
            x = view(pixels[rows], how, random=True)
            y = torch.from_numpy(labels[rows]).to(device())
            return F.cross_entropy(run(x).float(), y)

        steps = self.epochs * steps_per_epoch(n, batch)
        self.descend(given, loss, self.lr, **{"steps": steps} | stage)

    def groups(self) -> list[dict]:
        """The parameters, as an optimizer of PyTorch takes them."""
        return [{"params": list(self.net.parameters())}]

    def descend(self, given: Given, loss, lr: float, *, steps: int, **stage) -> None:
        """SGD with a cosine from `lr` to 1e-6."""
        moving = {"momentum": self.momentum, "nesterov": self.momentum > 0}
        optimizer = torch.optim.SGD(self.groups(), lr, weight_decay=self.weight_decay, **moving)
        schedule = cosine(max(1, steps), least=1e-6 / max(lr, 1e-6))
        given.train(self.net.train(), optimizer, loss, steps=steps, schedule=schedule, **stage)

    def measure(self, given: Given, labels: np.ndarray) -> None:
        """The value at which ReAct cuts features off."""
        h = self.features_of(self.net.eval().backbone, given.normal.pixels)  # (N, D)
        self.facts["clip"] = float(np.percentile(h, self.percentile))
        right = _logits(self.net, h).argmax(axis=1) == labels
        log.info(f"{right.mean():.4f} of the training images are classified correctly")

    def bare(self) -> nn.Module:
        own = "depth" in self.facts["backbone"]
        return Trunk(self.facts["backbone"]) if own else super().bare()

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D) before the head; "logits" (N, K), classes in the order
        of their labels; "react" (N, K), logits of the features cut off at the percentile of the
        training images' (Sun et al. 2021); "odin" (N,), 1 - max softmax at `temperature` after one
        step of size `eps` that makes the answer surer (Liang et al. 2018)."""
        net = self.fitted("embed")
        h = self.features_of(net.backbone, pixels)  # (N, D)
        return {
            "features": h,
            "logits": _logits(net, h),
            "odin": odin(net, pixels, self.how, self.temperature, self.eps, progress),
            "react": _logits(net, np.minimum(h, self.facts["clip"])),
        }


def _logits(net, h: np.ndarray) -> np.ndarray:
    """The head's answer float32 (N, K) to features (N, D)."""
    w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
    return h @ w.T + b  # (N, K)


def odin(
    net: networks.Classifier,
    pixels: np.ndarray,
    how: View,
    t: float,
    eps: float,
    progress: Progress,
):
    """ODIN's score float32 (N,) of uint8 (N, H, W, C), for a network in evaluation mode; t: the
    temperature."""
    on = net.head.weight.device
    std = torch.tensor(how.std, device=on)[:, None, None]

    def of(some: np.ndarray) -> list[Tensor]:
        with torch.inference_mode(False):  # the step needs a gradient
            x = stepped(net, view(some, how).to(on), std, t, eps)
        p = (net(x).double() / t).softmax(dim=1)  # (n, K)
        # 1 - max p, as the sum of the others: no digits are lost next to 0
        return [p.sort(dim=1).values[:, :-1].sum(dim=1)]  # (n,)

    return batched(of, pixels, progress)[0]


def stepped(net: nn.Module, x: Tensor, std: Tensor, temperature: float, eps: float) -> Tensor:
    """x (n, C, H, W) moved by `eps`, in units of pixels in [0, 1], to where the network is surer
    of its answer: x - eps sign(gradient) / std, x being pixels divided by std."""
    x = x.requires_grad_()
    f = net(x).float() / temperature  # (n, K)
    loss = F.cross_entropy(f, f.detach().argmax(dim=1), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return x.detach() - eps * gradient.sign() / std  # (n, C, H, W)


build = LabelledClassifier
