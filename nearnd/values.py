"""What the value of an argument may be: by its annotation, and by what its name counts.

For the check of a config, before any job and without loading a plugin.
"""

import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

Range = tuple[float, float]  # from, to

ABOVE_0, NO_END = math.ulp(0.0), 2**63 - 1
# By name, for all kinds that do not state another one (RANGES); other numbers are not negative.
COUNTS = """
    anchors attention batch blocks channel_mult classes code columns corrections crop degree depth
    dimension hidden images iterations k layers limit max_samples micro_batch n n_estimators
    n_neighbors neighbourhood nf num_scales per_class per_stage projection resize rows sample_batch
    snapshots steps tail views width widths
"""
SHARES = "dropout ema freeze grey momentum nu share smoothing train"
POSITIVE = "beta_max c power rho sigma_max sigma_min std temperature"
RANGES: dict[str, Range] = {
    **dict.fromkeys(COUNTS.split(), (1, NO_END)),
    **dict.fromkeys(SHARES.split(), (0, 1)),
    **dict.fromkeys(POSITIVE.split(), (ABOVE_0, NO_END)),
    "severities": (1, 5),
    "size": (1, 1 << 14),  # of images, in pixels
}


def check(name: str, value: Any, kind: Any, ranges: Mapping[str, Range]) -> None:
    """ValueError if the value cannot be that of an argument with the annotation `kind`."""
    schema, words = _allowed(kind, *(RANGES | ranges).get(name, (0, NO_END)))
    if next(problems(value, schema), None):
        raise ValueError(
            f"{name} is {reprlib.repr(value)}; it may be {words}{_hint(value, schema)}"
        )


def _allowed(kind: Any, low: float, high: float) -> tuple[dict, str]:
    """The JSON schema of what an annotation allows, and words for it."""
    of, inner = get_origin(kind) or kind, get_args(kind)
    parts = [_allowed(one, low, high) for one in inner if of is not Literal and one is not ...]
    schemas, words = [schema for schema, _ in parts], [text for _, text in parts]
    if of in (Union, UnionType):
        return {"anyOf": schemas}, ", or ".join(words)
    if of is Literal:
        return {"enum": list(inner)}, " or ".join(map(str, inner))
    if of in (int, float):
        end = f" to {high}" if high < NO_END else ""
        span = " above 0" if low == ABOVE_0 else f" from {low}{end}"
        name, text = ("integer", "a whole number") if of is int else ("number", "a number")
        return {"type": name, "minimum": low, "maximum": high}, text + span
    if of is bool:
        return {"type": "boolean"}, "true or false"
    if of is str:
        return {"type": "string", "pattern": r"^[^\0]*\Z"}, "a text"
    if of in (None, NoneType):
        return {"type": "null"}, "null"
    if of is tuple and inner and ... not in inner:
        size = {"minItems": len(inner), "maxItems": len(inner)}
        text = f"a list of {len(inner)}: {', '.join(words)}"
        return {"type": "array", "prefixItems": schemas, **size}, text
    if isinstance(of, type) and issubclass(of, Sequence):
        each = f", each of them {words[0]}" if words else ""
        return {"type": "array", "items": (*schemas, True)[0]}, f"a list{each}"
    if isinstance(of, type) and issubclass(of, Mapping):
        each = f", each of them {words[1]}" if words and inner[1] is not Any else ""
        return {"type": "object", "additionalProperties": (*schemas, True)[-1]}, f"a dict{each}"
    return {}, "anything"


def problems(value: Any, schema: dict) -> Iterator:
    """The errors of jsonschema, strict where it is not: a whole number is written as one, every
    number is finite."""
    return _validator()(schema).iter_errors(value)


@cache
def _validator():
    from jsonschema import Draft202012Validator, validators

    def whole(_, value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def number(_, value) -> bool:
        return whole(_, value) or (isinstance(value, float) and math.isfinite(value))

    types = Draft202012Validator.TYPE_CHECKER.redefine_many({
        "integer": whole,
        "number": number,
        "array": lambda _, value: isinstance(value, list | tuple),
    })  # fmt: skip
    return validators.extend(Draft202012Validator, type_checker=types)


def _hint(value: Any, schema: dict) -> str:
    """How to write a number that YAML took for a text."""
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return ""
    numbers = [number, int(number)] if math.isfinite(number) else []
    if all(next(problems(n, schema), None) for n in numbers):
        return ""
    return f"; {value} is a text: write a number without quotes, and 1e-3 as 1.0e-3"
