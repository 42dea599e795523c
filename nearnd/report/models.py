"""A trained method as a user has it: a folder (model_folder.py) or an ONNX file (onnx_model.py)."""

from pathlib import Path
from typing import Any

from nearnd.report import model_folder, onnx_model


def is_onnx(model: Path) -> bool:
    """A folder is a folder, whatever it is called."""
    return model.suffix.lower() == onnx_model.ENDING and not model.is_dir()


def read(model: Path) -> dict[str, Any]:
    """Its facts; see `model_folder.read`. ValueError if it cannot be used."""
    return (onnx_model if is_onnx(model) else model_folder).read(model)


def files(model: Path) -> list[Path]:
    """The files that it is made of."""
    return [model, onnx_model.facts_of(model)] if is_onnx(model) else [*model.iterdir()]
