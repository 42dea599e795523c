"""PatchCore: how far each patch of an image is from the patches of normal images.

Roth et al. (2022), "Towards Total Recall in Industrial Anomaly Detection", with the embedding of
their official code. The detector holds its own memory bank instead of leaving its features to a
bank: the patches of a whole image set do not fit on disk (5,000 images x 784 patches x 1,024 floats
are 16 GB for one class of CIFAR-10), while a map of distances is 784 numbers for an image.

As in the official code, and unlike the paper, the highest distance is not weighted by how dense the
bank is around its patch.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent

NEEDS = ["backbone"]
EMBEDS = ["map"]
BATCH = 16  # images; their neighbourhoods are 22 MB each with the default at 224 pixels


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {"embedded": about.images}


log = logging.getLogger("nearnd")


class PatchCore:
    """Detector (contracts.py) that trains nothing, but keeps patches of the normal images."""

    def __init__(self, **options):
        self.options = options
        self.net = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None = None, backbone: Path | None = None,
        seed: int = 0, folder: Path | None = None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Fills the memory bank with a coreset of the normal images' patches."""
        from nearnd.detectors._patches import levels, prune
        from nearnd.detectors._vit import as_path, view_of
        from nearnd.jobs import device
        from nearnd.networks.backbone import load_backbone
        from nearnd.networks.coreset import coreset, share_of

        o = self.options
        model, self.facts = load_backbone(as_path(backbone, "patchcore"))
        self.how = view_of(self.facts, o["resize"], o["crop"])
        self.levels = levels(model, o["layers"], f"patchcore on {self.facts['model']}")
        self.net = prune(model, self.levels).to(device.device())
        rows = self._gather(normal.pixels, seed, progress)  # (M, D)
        n = share_of(len(rows), o["share"])
        log.info(f"memory bank: {n} of {len(rows)} patches")
        keep = coreset(
            rows, n, seed=seed, projection=o["projection"], anchors=o["anchors"], progress=progress
        )
        self.bank = rows[np.sort(keep)]  # (n, D)

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: of each patch, the squared Euclidean distance to the nearest
        patch of the bank, or its mean over the k nearest. h and w are those of the first layer; the
        map covers the centre crop of the image."""
        import torch

        from nearnd.detectors._vit import fitted
        from nearnd.networks.nearest import nearest

        net, maps = fitted(self.net, "embed"), []
        bank = torch.from_numpy(self.bank).to(next(net.parameters()).device)  # (M, D)
        patches_of, k = self._embedder(), min(self.options["k"], len(bank))
        for i in range(0, len(pixels), BATCH):
            patches = patches_of(pixels[i : i + BATCH])  # (n, h, w, D)
            squared = nearest(bank, patches.flatten(0, 2), k).mean(1)  # (n h w,)
            maps.append(squared.reshape(patches.shape[:3]).cpu().numpy())  # (n, h, w)
            progress(min(i + BATCH, len(pixels)), len(pixels))
        return {"map": np.concatenate(maps)}

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        weights = weights_of(fitted(self.net, "save"))
        arrays = {"bank": self.bank} | {f"net.{name}": w for name, w in weights.items()}
        o = {name: self.options[name] for name in ("dimension", "neighbourhood", "k")}
        facts = {"detector": "patchcore", "view": list(self.how), "levels": self.levels}
        save_tensors(path, arrays, backbone=self.facts, options=o, **facts)

    def load(self, path: Path) -> None:
        from nearnd.detectors._patches import prune
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import create, put_weights
        from nearnd.networks.transform import View

        arrays, facts = load_tensors(path)
        if facts.get("detector") != "patchcore":
            raise ValueError(f"{path} is not the file of a `patchcore` detector")
        self.bank, self.options = arrays.pop("bank"), self.options | facts["options"]
        self.facts, self.how, self.levels = facts["backbone"], View(*facts["view"]), facts["levels"]
        net = prune(create(self.facts), self.levels)
        put_weights(net, {name.removeprefix("net."): w for name, w in arrays.items()}, path)
        self.net = net.to(device.device())

    def _embedder(self):
        from nearnd.detectors._patches import embedder

        o = self.options
        return embedder(
            self.net, self.levels, self.how, o["precision"], o["dimension"], o["neighbourhood"]
        )

    def _gather(self, pixels: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
        """The patches of all images float32 (M, D), or as many random ones of each image as keep M
        below the limit."""
        if not len(pixels):
            raise ValueError("patchcore got no normal images; see the dataset and `normals`")
        patches_of, limit, rows = self._embedder(), self.options["limit"], None
        for i in range(0, len(pixels), BATCH):
            patches = patches_of(pixels[i : i + BATCH]).flatten(1, 2)  # (n, h w, D)
            if rows is None:
                places = each = patches.shape[1]
                if limit is not None and len(pixels) * places > limit:
                    each = max(1, limit // len(pixels))
                    log.info(f"{each} of {places} patches of each image, because of the limit")
                rows = np.empty((len(pixels), each, patches.shape[2]), np.float32)  # (N, e, D)
            for j, image in enumerate(patches.cpu().numpy(), start=i):  # (h w, D)
                random = np.random.default_rng([seed, j])
                some = random.choice(places, each, replace=False) if each < places else slice(None)
                rows[j] = image[some]
            progress(min(i + BATCH, len(pixels)), len(pixels))
        return rows.reshape(-1, rows.shape[2])  # (M, D)


def build(
    layers: list[str] | None = None,
    neighbourhood: int = 3,
    dimension: int = 1024,
    share: float = 0.1,  # official: 0.1 for WideResNet-50 at 224 pixels, else 0.01
    projection: int | None = 128,
    anchors: int = 10,
    k: int = 1,
    limit: int | None = 320_000,
    resize: int | None = None,
    crop: int | None = None,
    precision: str = "auto",
) -> PatchCore:
    """PatchCore; the defaults are those of the official code for WideResNet-50 at 224 pixels.

    `layers`: names of the network's maps, null for the two in the middle, which are layer2 and
    layer3 of a ResNet (official). `neighbourhood`: the odd side of a patch. `dimension`: numbers of
    a patch. `share` of the patches that are kept; `projection` and `anchors` of the selection: see
    nearnd/networks/coreset.py. `k`: nearest patches whose distances are averaged. `limit`: of more
    patches than these (1.3 GB), as many random ones of each image are used; null uses all. It is
    ours: every category of MVTec AD stays below it, of 5,000 images it takes 64 patches each.
    `resize`, `crop`: as in `frozen`. `precision` of the network: auto, fp32 or bf16; distances are
    always float32.
    """
    for name, value in (("dimension", dimension), ("k", k), ("limit", limit or 1)):
        if value < 1:
            raise ValueError(f"patchcore: {name} is {value}, it must be at least 1")
    if neighbourhood < 1 or neighbourhood % 2 == 0:
        raise ValueError(f"patchcore: neighbourhood is {neighbourhood}, it must be an odd number")
    if not 0 < share <= 1:
        raise ValueError(f"patchcore: share is {share}, it must be above 0 and at most 1")
    return PatchCore(
        layers=layers, neighbourhood=neighbourhood, dimension=dimension, share=share,
        projection=projection, anchors=anchors, k=k, limit=limit, resize=resize, crop=crop,
        precision=precision,
    )  # fmt: skip
