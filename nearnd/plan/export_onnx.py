"""A model folder into one ONNX file (report/onnx_model.py), which is only written if it decides as
the folder does."""

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
from nearnd.plan.onnx_graph import write
from nearnd.report import model_folder, onnx_model
from nearnd.report.conformal import Decision, anomalous, p_values, promise
from nearnd.report.drawn_defects import DEFECTS, drawn
from nearnd.report.model_folder import BANK, DETECTOR, NORMALS, scorer

NORMAL, DRAWN = 48, 16  # images of the check, and defects of each kind drawn on some of them
NEAR = 1e-4  # of a score, or of the deviation of held-out ones where that is larger
ALPHAS = (10, 50, 100)  # false alarms in 1,000 at which no image may be called otherwise


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
        facts["batch"] = write(part, exact, model, bank, shown[:1])
        graph = onnx_model.Graph(part, facts)
        found = graph(shown)[0]["score"]
        if held:
            facts["held_out"] = np.sort(graph(pixels)[0]["score"])
        off = compared(expected, held_out, found, facts["held_out"])
        from_folder = float(_off(as_scored(shown), found, held_out).max())
        if not held and from_folder > NEAR:
            raise ValueError(
                f"{model} was scored in bfloat16, which the ONNX file is not: its held-out images"
                " have to be scored anew. Give the pictures of fit: --images FOLDER"
            )
        beside.unlink(missing_ok=True)
    facts["sha256"] = sha256(out)
    facts["checked"] = {"images": len(shown), "largest_difference": off, "scored_anew": held}
    save_json(beside, facts | {"held_out": [float(value) for value in facts["held_out"]]})
    words = (
        f"{out}: scores of {len(shown)} images differ by {off:.1g} of themselves at most and none"
        f" is called otherwise; {promise(facts['held_out'], Decision())}"
    )
    if from_folder > NEAR:
        words += (
            f". That is beside {model} in float32: it scores in bfloat16 itself, up to"
            f" {from_folder:.0%} otherwise, and may call images otherwise"
        )
    return words


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
