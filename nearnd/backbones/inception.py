"""The weights of the Inception network that published Fréchet distances are computed with."""

from dataclasses import dataclass
from pathlib import Path

from nearnd.files.fetch import fetch, mirrors

FILES = {
    "weights": {
        "checksum": "sha256",
        "words": ["pretrained"],
        "hint": "The file may be .pth or .safetensors.",
    }
}
NAME = "weights-inception-2015-12-05-6726825d.pth"
HINT = "Or put it anywhere and set `weights: <that file>` in backbones: inception."


def work(about, **arguments) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    return {"network": flops.backbone("inception_v3", {})}  # timm's, of the same size


def fetches(*, weights: str) -> list[tuple[list[str], str]]:
    """See contracts.py."""
    return [([NAME], "the releases of torch-fidelity")] if weights == "pretrained" else []


@dataclass
class Inception:
    """Backbone (contracts.py) whose weights come from outside.

    `weights`: "pretrained" (from `mirrors` or its link), or the file (.pth or .safetensors): a
    path, a link, or a name to look for in `mirrors`.
    """

    weights: str = "pretrained"

    def make(self, images, classes, *, seed: int, folder: Path, progress) -> tuple[dict, dict]:
        """The weights as numpy arrays; an error says how to place the file by hand."""
        from nearnd.files.weights import state_dict
        from nearnd.networks.inception import URL

        file = Path(self.weights)
        if self.weights == "pretrained":
            file = Path(folder) / Path(URL).name
            archive = {"name": file.name, "urls": [URL], "hint": HINT}
            archive["sha256"] = file.stem.rsplit("-", 1)[1]  # its start stands in the name
            fetch(archive, file, mirrors(), progress)
        tensors = state_dict(file)
        return {name: t.numpy() for name, t in tensors.items()}, {"model": "inception-2015-12-05"}


build = Inception
