"""A model folder into one ONNX file (report/onnx_model.py), which is only written if it decides as
the folder does."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nearnd import plugins
from nearnd.files.arrays import load_rows, replacing, save_json
from nearnd.files.decode import decode, resize
from nearnd.files.image_folders import nothing, pictures
from nearnd.files.out import place
from nearnd.files.regular import sha256
from nearnd.report import model_folder, onnx_model
from nearnd.report.conformal import Decision, anomalous, p_values, promise
from nearnd.report.drawn_defects import DEFECTS, drawn
from nearnd.report.model_folder import BANK, DETECTOR, NORMALS, scorer
from nearnd.report.new_images import normals_of

NORMAL, DRAWN = 48, 16  # images of the check, and defects of each kind drawn on some of them
NEAR = 1e-4  # of a score, or of the deviation of held-out ones where that is larger
ALPHAS = (10, 50, 100)  # false alarms in 1,000 at which no image may be called otherwise
MEMORY, BATCH = (
    1 << 25,
    8,
)  # bytes of the largest tensor in the graph, and images at a time, at most;
# more of them are slower, as memory has to be got for them
OPSET = 20


def export_onnx(model: Path, out: Path, images: Path | None = None) -> str:
    """Writes the method of the folder `model` to `out` and facts beside it; returns words about it.

    images: the pictures of fit. Those of them that were held out are scored anew, by the graph, and
    the file is checked on them; without, on the small copies of normal images that the folder has.
    ValueError in a sentence if the method cannot be exported, or the file decides otherwise.
    """
    if out.suffix.lower() != onnx_model.ENDING:
        raise ValueError(f"--onnx is {out}; it may be the name of a file such as model.onnx")
    facts = model_folder.read(model)
    out = place(out, model.iterdir(), "--onnx", "ONNX file")
    pixels, held = _images(model, facts, images)
    shown = pixels[np.linspace(0, len(pixels) - 1, min(NORMAL, len(pixels))).astype(int)]
    defects = [drawn(name, shown[:DRAWN]) for name in DEFECTS]
    shown = np.concatenate([shown, *defects])  # (n, S, S, C)
    bank = model / BANK if BANK in facts["files"] else None
    exact = _exact(facts)
    as_scored, right = (_scores(each, model, bank) for each in (facts, exact))
    expected = right(shown)
    held_out = right(pixels) if held else facts["held_out"]  # (m,)
    facts = {key: value for key, value in facts.items() if key in onnx_model.KNOWN}
    facts |= {"version": onnx_model.VERSION, "sha256": "", "batch": 1, "checked": {}}
    beside = onnx_model.facts_of(out)
    with replacing(out) as part:
        facts["batch"] = _write(part, exact, model, bank, shown[:1])
        graph = onnx_model.Graph(part, facts)
        found = graph(shown)[0]["score"]
        if held:
            facts["held_out"] = np.sort(graph(pixels)[0]["score"])
        off = compared(expected, held_out, found, facts["held_out"])
        if not held and exact != facts and _off(as_scored(shown), found, held_out).max() > NEAR:
            raise ValueError(
                f"{model} was scored in bfloat16, which the ONNX file is not: its held-out images"
                " have to be scored anew. Give the pictures of fit: --images FOLDER"
            )
        beside.unlink(missing_ok=True)
    facts["sha256"] = sha256(out)
    facts["checked"] = {"images": len(shown), "largest_difference": off, "scored_anew": held}
    save_json(beside, facts | {"held_out": [float(value) for value in facts["held_out"]]})
    return (
        f"{out}: scores of {len(shown)} images differ by {off:.1g} of themselves at most and none"
        f" is called otherwise; {promise(facts['held_out'], Decision())}"
    )


def _images(model: Path, facts: dict[str, Any], images: Path | None) -> tuple[np.ndarray, bool]:
    """Normal pixels uint8 (n, S, S, C), and whether they are all of the held-out images."""
    form = facts["images"]
    if images is None:
        if NORMALS not in facts["files"]:
            raise ValueError(
                f"{model} has no copies of normal images to check the ONNX file on: give pictures"
                " of fit, --images FOLDER"
            )
        return resize(load_rows(model / NORMALS)["pixels"], form["size"]), False
    if not images.is_dir():
        raise ValueError(f"--images is {images}, which is no folder")
    files = {file.relative_to(images).as_posix(): file for file in sorted(pictures(images, True))}
    if not files:
        raise ValueError(nothing(images))
    names = facts.get("held_out_names", [])
    if lost := [name for name in names if name not in files] or not names:
        what = f"{len(lost)} of {len(names)}, such as {lost[0]}" if names else "any"
        raise ValueError(
            f"{images} lacks held-out images of {model}: {what}. It has to be the folder that fit"
            " read"
        )
    return decode([(name, files[name]) for name in names], **form), True


def _exact(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with a detector that computes in float32."""
    entry = facts["detector"]
    if "precision" not in plugins.defaults("detectors", entry["kind"]):
        return facts
    return facts | {"detector": entry | {"precision": "fp32"}}


def _scores(facts: dict[str, Any], model: Path, bank: Path | None) -> Callable:
    """A function from pixels to the scores (n,) that the folder gives them."""
    return lambda pixels: scorer(facts, model / DETECTOR, bank)(pixels)[0]["score"]


def _off(scores: np.ndarray, found: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    return np.abs(found - scores) / np.maximum(np.abs(scores), max(held_out.std(), 1e-30))


def compared(
    scores: np.ndarray, held_out: np.ndarray, found: np.ndarray, found_held_out: np.ndarray
) -> float:
    """The largest difference of the ONNX file's scores (n,) from the right ones, as a share of
    them, or of the deviation of held-out ones where that is larger. ValueError where it is more
    than NEAR, or an image is called otherwise at one of ALPHAS, each by its own held-out images."""
    off = float(_off(scores, found, held_out).max())
    p, p_found = p_values(held_out, scores), p_values(found_held_out, found)
    flips = sum(anomalous(p, how) != anomalous(p_found, how) for how in map(Decision, ALPHAS))
    if not off <= NEAR or flips.any():
        raise ValueError(
            f"the ONNX file is not written: its scores of {len(scores)} images differ by up to"
            f" {off:.2g} ({NEAR:g} may be), and {np.count_nonzero(flips)} of them are called"
            " otherwise"
        )
    return off


def _write(part: Path, facts: dict[str, Any], model: Path, bank: Path | None, pixels) -> int:
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
    names = [onnx_model.SCORE, onnx_model.MAP, onnx_model.FEATURES]
    names = [name for name in names if name in network(x)]
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
            names = [onnx_model.SCORE, onnx_model.MAP, onnx_model.FEATURES]
            return {name: found[name] for name in names if name in found}

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
