"""Where a training keeps its snapshots: the one place that knows their names."""

from pathlib import Path


def snapshot(folder: str | Path, step: int) -> Path:
    """The file of the weights after so many steps."""
    return Path(folder) / f"step{step:07d}.safetensors"


def snapshots(folder: str | Path) -> dict[int, Path]:
    """{step: file} of all that a folder has, in order of training."""
    files = Path(folder).glob("step*.safetensors")
    found = {int(file.stem.removeprefix("step")): file for file in files}
    return dict(sorted(found.items()))
