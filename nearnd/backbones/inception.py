"""The weights of the Inception network that published Fréchet distances are computed with."""

from __future__ import annotations

from pathlib import Path

from nearnd.contracts import Images, Progress


class Inception:
    """Backbone (contracts.py) whose weights come from outside."""

    def __init__(self, weights: str):
        self.weights = weights

    def make(
        self, images: Images | None, classes: list[str], *, seed: int, folder: Path,
        progress: Progress,
    ) -> tuple[dict, dict]:  # fmt: skip
        """The weights as numpy arrays; ValueError says how to place the file by hand."""
        from nearnd.networks.inception import URL, read_weights

        file = Path(self.weights)
        if self.weights == "pretrained":
            file = Path(folder) / Path(URL).name
            self._download(URL, file)
        tensors = read_weights(file)
        return {name: t.numpy() for name, t in tensors.items()}, {"model": "inception-2015-12-05"}

    def _download(self, url: str, file: Path) -> None:
        from torch.hub import download_url_to_file

        file.parent.mkdir(parents=True, exist_ok=True)
        try:  # the hash in the file's name is checked
            digest = file.stem.rsplit("-", 1)[1]
            download_url_to_file(url, str(file), hash_prefix=digest, progress=False)
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"the Inception weights could not be fetched ({error}). Without internet: take"
                f" {url} on another machine, put it anywhere here, and set `weights: <that file>`"
                " in backbones: inception"
            ) from error


def build(weights: str = "pretrained") -> Inception:
    """`weights`: "pretrained" (downloaded), or the file (.pth, or the same as .safetensors)."""
    return Inception(weights)
