"""The graph of a method as ONNX: detector, bank and score as one network of PyTorch, written by its
exporter. onnxruntime reads it (report/onnx_model.py)."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nearnd import plugins
from nearnd.files.arrays import load_rows
from nearnd.report import onnx_model
from nearnd.report.model_folder import DETECTOR
from nearnd.report.new_images import normals_of

MEMORY = 1 << 25  # bytes of the largest tensor in the graph
BATCH = 8  # images that go through it at a time, at most: more need memory that takes time to get
OPSET = 20
NAMES = (onnx_model.SCORE, onnx_model.MAP, onnx_model.FEATURES)


def write(part: Path, facts: dict[str, Any], model: Path, bank: Path | None, pixels) -> int:
    """The graph into a file; how many images may go through it at a time."""
    try:
        import onnx
        import onnxruntime  # noqa: F401 - which checks it
        import onnxscript  # noqa: F401 - which torch writes it with
    except ImportError as error:
        raise ImportError(
            f"an ONNX file needs further packages ({error}): {onnx_model.INSTALL}"
        ) from error
    import torch

    network = graph_of(facts, model / DETECTOR, bank).eval().cpu()
    x = torch.from_numpy(np.array(pixels))  # (1, S, S, C)
    with torch.inference_mode():
        widest = _widest(network, x)
    batch = int(np.clip(MEMORY // widest, 1, BATCH))
    names = [name for name in NAMES if name in network(x)]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            network, (x.expand(2, -1, -1, -1),), part, input_names=["pixels"], output_names=names,
            dynamic_shapes=({0: torch.export.Dim("n")},), opset_version=OPSET, dynamo=True,
            external_data=False, verbose=False,
        )  # fmt: skip
    small, features = normals_of(model, facts, bank)
    if small is not None and onnx_model.FEATURES in names:
        whole = onnx.load(part)
        for name, array in {
            onnx_model.NORMAL_PICTURES: small, onnx_model.NORMAL_FEATURES: features
        }.items():  # fmt: skip
            tensor = onnx.numpy_helper.from_array(np.array(array), f"{name}_")
            whole.graph.initializer.append(tensor)
            whole.graph.node.append(onnx.helper.make_node("Identity", [tensor.name], [name]))
            put = onnx.helper.make_tensor_value_info(name, tensor.data_type, array.shape)
            whole.graph.output.append(put)
        onnx.save(whole, part)
    return batch


def graph_of(facts: dict[str, Any], detector: Path, bank: Path | None):
    """A torch network from pixels uint8 (n, S, S, C) to {"score": (n,)}, and "map" and "features"
    where there are such. ValueError for a method that cannot be exported."""
    from torch import nn

    trained = plugins.build("detectors", facts["detector"])
    embedded = _graph(trained)
    kind = facts["score"]["kind"]
    entry = plugins.defaults("scores", kind) | facts["score"]
    features = load_rows(bank) if bank else {}
    score = plugins.call("scores", entry | {"bank": features}, "graph")
    for part, can in ((facts["detector"]["kind"], embedded), (kind, score)):
        if can is None:
            raise ValueError(f"{part} cannot be exported to ONNX: score with the model folder")
    trained.load(detector)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedded = trained.graph(facts["images"]["size"])

        def forward(self, pixels):
            arrays = self.embedded(pixels)
            found = score(arrays)
            if onnx_model.FEATURES in arrays:
                found[onnx_model.FEATURES] = arrays[onnx_model.FEATURES].flatten(1)
            return {name: found[name] for name in NAMES if name in found}

    return Whole()


def _graph(detector) -> Callable | None:
    """Its `graph`; None if it has none, or a class below changes how it embeds and not that."""
    for part in type(detector).__mro__:
        if "graph" in vars(part):
            return detector.graph
        if "embed" in vars(part):
            return None
    return None


def _widest(network, x) -> int:
    """Bytes of the largest tensor that there is while one image goes through."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Watch(TorchDispatchMode):
        most = 1

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            sizes = [part.nbytes for part in tree_leaves(found) if hasattr(part, "nbytes")]
            self.most = max(self.most, *sizes, 1)
            return found

    with Watch() as watch:
        network(x)
    return watch.most
