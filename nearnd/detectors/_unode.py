"""What UNODE's forms share: hard augmentations of normal images as negatives, of the contrast and
of a head that tells them from normal ones.

Mirzaei et al., "Universal Novelty Detection Through Adaptive Contrastive Learning", CVPR 2024, with
its released code. Where the two differ, options say which is which; known differences from both:
`networks/views.py`, `networks/hard.py` and `_augood.py`, and the learning rate ends at 0.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import About, Embedding, Progress, silent
from nearnd.detectors import _augood
from nearnd.detectors._contrastive import VIEWS, Contrastive, Projected, over_views
from nearnd.detectors._trained import Given
from nearnd.files.header import NULL, either, extended, number, record, several, whole
from nearnd.networks.augment import as_tensor
from nearnd.networks.contrastive import nt_xent, nt_xent_of_normal
from nearnd.networks.hard import FROM_OUTLIERS, HARD, Beside, hardened
from nearnd.networks.precision import exact
from nearnd.networks.views import Views

NORMAL, HARDENED = 0, 1  # logits of the head
log = logging.getLogger("nearnd")

CHOSEN = record(names=several({"type": "string"}, 0), weights=several(number(0), 0),
                divergences=either(NULL, several(number(0, 1e9))))  # fmt: skip


class Headed(Projected):
    """With a linear layer on the features to logits (N, L)."""

    def __init__(self, logits: int, trunk: nn.Module, code: int):
        super().__init__(trunk, code)
        self.head = nn.Linear(self.features, logits)


def judged_of(about: About, hard: Sequence[str], looked_at: int) -> dict[str, float]:
    """Of a detector's `work`: images that a judge sees, as they are and by each augmentation."""
    return {"judged": min(looked_at, about.images) * (1 + len(hard))}


@dataclass
class Hardened(Contrastive):
    """Each step sees B normal images and a hard-augmented copy of each, in two views; the copies of
    the two views are drawn independently, as in the released code.

    `hard`: which augmentations. As names they are equally likely, or, where the entry names a
    `judge`, weighed by AutoAugOOD in the features of that backbone, of training images alone; as
    {name: share} they are as likely as that, as the released code has them. None at all: there are
    no negatives beside the other images, and no head is trained.
    """

    hard: (
        Sequence[
            Literal[
                "rotation", "permute", "noise", "cutout", "cutpaste", "sobel", "blur", "mixup",
                "mixup_outliers", "outliers", "autoaugment",
            ]
        ]
        | Mapping[str, float]
    ) = (  # the paper's
        "rotation", "permute", "noise", "cutout", "cutpaste", "sobel", "blur", "mixup",
    )  # fmt: skip
    most: int | None = None  # an image goes through 1 to so many of them; null: to all (the paper);
    # 1 in the released code
    looked_at: int = 500  # training images that AutoAugOOD compares; all in the paper
    anchors: Literal["all", "normal"] = "all"  # of the contrast: all rows, as in the released code;
    # normal: as the paper writes it, against the hard copies of other images alone
    losses: Sequence[Literal["contrastive", "classified"]] = ("contrastive", "classified")
    ensemble: int = 10  # views of an image that are averaged
    share: float = 0.54  # of the image that each of these shows

    FACTS = extended(Contrastive.FACTS, ensemble=whole(most=10_000), look=VIEWS, hard=CHOSEN)

    def __post_init__(self):
        if odd := _augood.unknown(list(self.hard)):
            raise ValueError(
                f"hard names {odd[0]!r}; there is {', '.join(HARD)}: change `hard` in the"
                " detector's entry"
            )
        if isinstance(self.hard, Mapping) and self.hard and not sum(self.hard.values()) > 0:
            raise ValueError(f"hard is {self.hard}, all shares are 0: change it in the entry")
        if "contrastive" not in self.losses and not ("classified" in self.losses and self.hard):
            raise ValueError(
                f"losses is {list(self.losses)} and hard is {list(self.hard)}: nothing is left to"
                " train; change them in the detector's entry"
            )

    def prepare(self, given: Given, **facts) -> None:
        self.check_images(given)  # before a judge looks at them
        look = self.views(scale=[self.share, self.share], flip=False)
        chosen = self.chosen(given)
        super().prepare(given, ensemble=self.ensemble, look=look, hard=chosen, **facts)

    def chosen(self, given: Given) -> dict:
        """{"names", "weights", "divergences"} of the hard augmentations, for the file and the log.

        ValueError where some need outliers and there are none, or a judge has nothing to weigh.
        """
        names, fixed = list(self.hard), isinstance(self.hard, Mapping)
        if from_outliers := set(names) & set(FROM_OUTLIERS):
            given.pair(f"{self.kind} with `hard: {sorted(from_outliers)}`")
        j = None
        if given.judge is not None:
            if fixed or len(names) < 2:
                raise ValueError(
                    f"{self.kind}: a judge weighs hard augmentations, but hard is {self.hard}: name"
                    " at least two, without shares, or leave `judge` out of the detector's entry"
                )
            j = self.judged(given, names)
            weights = _augood.softmax(j)
        else:
            weights = np.array(list(self.hard.values()) if fixed else [1.0] * len(names))
            weights = weights / weights.sum() if len(weights) else weights
        for k, name in enumerate(names):
            how = "" if j is None else f", divergence {j[k]:.3g}"
            log.info(f"hard augmentation {name}: weight {weights[k]:.4g}{how}")
        found = {"names": names, "weights": weights.tolist()}
        return found | {"divergences": None if j is None else j.tolist()}

    def judged(self, given: Given, names: list[str]) -> np.ndarray:
        """The divergences (K,) of AutoAugOOD, on some of the normal training images."""
        n = len(given.normal)
        rows = np.sort(np.random.default_rng(given.seed).permutation(n)[: self.looked_at])
        pixels = np.asarray(given.normal.pixels[rows])

        def change(some: np.ndarray, name: str) -> np.ndarray:
            x, beside = as_tensor(some), self.beside(given, rows)
            changed = HARD[name](x, beside)
            return (255 * changed).round().to(torch.uint8).movedim(1, -1).numpy()

        return _augood.look(pixels, given.judge, names, change, given.seed)

    def beside(self, given: Given, rows: np.ndarray) -> Beside:
        """For each of these normal images another one, drawn; and the outliers."""
        n = len(given.normal)
        other = (rows + torch.randint(1, n, (len(rows),)).numpy()) % n
        return Beside(as_tensor(given.normal.pixels[other]), given.outliers)

    def images(self, given: Given, rows: np.ndarray) -> Tensor:
        x, hard = as_tensor(given.normal.pixels[rows]), self.facts["hard"]
        if not hard["names"]:
            return x
        beside = self.beside(given, rows)
        return torch.cat([x, hardened(x, beside, hard["names"], hard["weights"], self.most)])

    def loss(self, h: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        """Of 2 views, each of B normal images and then of their hard copies."""
        kinds = 2 if self.facts["hard"]["names"] else 1  # of images
        total = z.new_zeros(())
        if "contrastive" in self.losses:
            paper = self.anchors == "normal" and kinds == 2
            total = total + (nt_xent_of_normal if paper else nt_xent)(z, self.temperature)
        if "classified" in self.losses:
            h = h.unflatten(0, (2, kinds, -1)).transpose(0, 1).flatten(1, 2)  # (kinds, 2 B, D)
            total = total + self.classified(h, labels)
        return total

    def classified(self, h: Tensor, labels: Tensor) -> Tensor:
        """The head's cross-entropy of features (kinds, 2 B, D), of normal images and, if kinds is
        2, of hard-augmented ones; labels (2 B,)."""
        if len(h) == 1:
            return h.new_zeros(())
        right = torch.tensor([NORMAL, HARDENED], device=h.device).repeat_interleave(h.shape[1])
        return F.cross_entropy(exact(self.net.head, h.flatten(0, 1)), right)

    def untrained(self) -> Headed:
        return Headed(self.logits(), self.trunk(), self.facts["code"])

    def logits(self) -> int:
        """How many the head has."""
        return 2

    def averaged(self, pixels: np.ndarray, seeds, progress: Progress) -> tuple:
        """Projections (N, code) and logits (N, L), the mean over `ensemble` random views."""
        net, run = self.net, self.in_precision()
        on, how = next(net.parameters()).device, Views(**self.facts["look"])

        def of(x: Tensor, u: Tensor) -> list[Tensor]:
            n, times = u.shape[:2]
            x, u = (t.to(on) for t in (x.repeat_interleave(times, 0), u.flatten(0, 1)))
            h, z = run(self.shown(x, u, how))  # (n times, ...)
            return [t.unflatten(0, (n, times)).mean(1) for t in (z, exact(net.head, h))]

        return tuple(over_views(of, pixels, seeds, (self.facts["ensemble"], 1), progress))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), see `Contrastive`; "projections" (N, 1, code), what is
        compared; "hard_logits" (N, 2), the head's for normal and for hard-augmented."""
        found = super().embed(pixels)
        z, logits = self.averaged(pixels, seeds, progress)
        return found | {"projections": z[:, None], "hard_logits": logits}
