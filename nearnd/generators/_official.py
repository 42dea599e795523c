"""A checkpoint of the public score_sde_pytorch code, read without running anything in it.

The file is {optimizer, model, ema, step}. `model` is a state dict, its names begin with `module.`;
`ema` has the averaged weights as a list without names, and without what is not trained.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nearnd.files.weights import read_weights
from nearnd.generators._reference import FREQUENCIES

ALIKE = 0.8  # cosine from which two weight tensors are the same one at different times


class Official(NamedTuple):
    """What a checkpoint holds."""

    weights: dict[str, Tensor]  # float32, by the reference's names in its order, CPU
    sigmas: Tensor | None  # the noise levels of SMLD, falling; VP models carry them too
    step: int


class _Ignored:
    """Stands for numpy's scalars while a file is read: the learning rate is one."""

    def __init__(self, *_): ...

    def __setstate__(self, _): ...


NUMPY = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")


def read_official(file: str | Path, take: str) -> Official:
    """The averaged (`take` "ema") or the last ("model") weights.

    Reads by torch's restricted unpickler: tensors, numbers and containers, no code. ValueError, in
    words, if the file wants more than that, or is cut off, or is laid out in another way.
    """
    content = _load(Path(file))
    try:
        model = _tensors(content["model"])
        sigmas = model.pop("sigmas", None)
        averaged = _averages(content["ema"], model)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    return Official(averaged if take == "ema" else model, sigmas, content["step"])


def read_step(file: str | Path) -> int:
    """The steps of training behind the weights; ValueError as `read_official`."""
    return _load(Path(file))["step"]


def _load(file: Path) -> dict[str, Any]:
    """The file's content: a dict with model, ema and a whole step, the rest unchecked."""
    content = read_weights(file, [(_Ignored, name) for name in NUMPY])
    found = content if isinstance(content, dict) else {}
    if missing := [key for key in ("model", "ema", "step") if key not in found]:
        keys = ", ".join(map(str, list(found)[:10])) or type(content).__name__
        raise ValueError(
            f"{file} has no {', '.join(missing)}; an official checkpoint has optimizer, model, ema"
            f" and step, this file has {keys}"
        )
    if type(content["step"]) is not int or content["step"] < 0:
        raise ValueError(f"{file}: step is {content['step']!r}; it must be a whole number")
    return content


def _tensors(model: Any) -> dict[str, Tensor]:
    """The state dict, its names without `module.`, its floats as float32."""
    if not isinstance(model, dict):
        raise ValueError(f"model is a {type(model).__name__}, not a state dict")
    named = {}
    for name, t in model.items():
        short = str(name).removeprefix("module.")
        named[short] = _finite(short, t)
    return named


def _averages(ema: Any, model: dict[str, Tensor]) -> dict[str, Tensor]:
    """The list of averages by name: it follows the state dict, without the frozen frequencies."""
    shadow = ema.get("shadow_params") if isinstance(ema, dict) else None
    if not isinstance(shadow, list):
        raise ValueError("ema has no list shadow_params")
    names = [name for name in model if name != FREQUENCIES]
    if len(shadow) != len(names):
        raise ValueError(f"ema has {len(shadow)} tensors, model has {len(names)} trained ones")
    averages = {}
    for name, t in zip(names, shadow, strict=True):
        averages[name] = t = _finite(f"ema of {name}", t)
        if t.shape != model[name].shape:
            raise ValueError(
                f"ema of {name} is {tuple(t.shape)}, in model it is {tuple(model[name].shape)}"
            )
    _in_order(averages, model)
    return {name: averages.get(name, model[name]) for name in model}


def _in_order(averages: dict[str, Tensor], model: dict[str, Tensor]) -> None:
    """Refuses averages that are evidently those of other tensors of the same shape.

    An average points where its weights point, whatever training did to their lengths; weights of
    different layers are orthogonal, but for chance.
    """
    groups: dict[tuple, list[str]] = {}
    for name, t in averages.items():
        if t.ndim > 1:  # biases and norms of different layers do look alike
            groups.setdefault(tuple(t.shape), []).append(name)
    for names in groups.values():
        a, b = (
            torch.nn.functional.normalize(torch.stack([w[n].flatten() for n in names]))
            for w in (averages, model)
        )
        cosine = a @ b.mT  # (n, n)
        best, other = cosine.max(1)
        for i, name in enumerate(names):
            if best[i] > ALIKE and cosine[i, i] < ALIKE**2 * best[i]:
                raise ValueError(
                    f"ema of {name} is not of it but of {names[int(other[i])]} (cosine"
                    f" {best[i]:.2f} with that in model, {cosine[i, i]:.2f} with its own): the"
                    " list is in another order"
                )


def _finite(name: str, t: Any) -> Tensor:
    if not isinstance(t, Tensor) or not t.is_floating_point():
        what = f"{t.dtype}" if isinstance(t, Tensor) else type(t).__name__
        raise ValueError(f"{name} is {what}, not a tensor of floats")
    if not bool(torch.isfinite(t).all()):
        raise ValueError(f"{name} has entries that are not finite")
    return t.float()
