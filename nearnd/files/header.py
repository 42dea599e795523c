"""What a header from outside may say: checked against a JSON schema, refused in a sentence."""

from pathlib import Path
from typing import Any

Schema = dict[str, Any]
LONG = 200  # characters of an error that are shown


def check(facts: Any, schema: Schema, where: str | Path) -> None:
    """ValueError, which names `where` and the field, unless the facts are as the schema says."""
    from jsonschema import Draft202012Validator

    error = next(Draft202012Validator(schema).iter_errors(facts), None)
    if error is None:
        return
    field = ".".join(map(str, error.absolute_path))
    text = f"{field}: {error.message}" if field else error.message
    raise ValueError(f"{where} does not say what it should: {_short(text)}")


def brief(error: Exception) -> str:
    """What a library's error says, in a line."""
    return _short(f"{type(error).__name__}: {error}".strip().partition("\n")[0])


def _short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:LONG]}..."


def record(**fields: Schema) -> Schema:
    """An object that has all these fields, but for those with a default; it may have others."""
    required = [name for name, schema in fields.items() if "default" not in schema]
    return {"type": "object", "required": required, "properties": fields}


def extended(schema: Schema, **fields: Schema) -> Schema:
    """The record with further fields."""
    return record(**schema["properties"], **fields)


def whole(least: int = 1, most: int = 65_536) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most}


def number(least: float = -1e6, most: float = 1e6) -> Schema:
    """A number; not-a-number and infinity are none of JSON."""
    return {"type": "number", "minimum": least, "maximum": most}


def several(of: Schema, least: int = 1, most: int = 64) -> Schema:
    """A list."""
    return {"type": "array", "items": of, "minItems": least, "maxItems": most}


def one_of(*words: Any) -> Schema:
    """One of these values."""
    return {"enum": [*words]}


def either(*these: Schema) -> Schema:
    """One of these schemas."""
    return {"anyOf": [*these]}


NULL, BOOL = {"type": "null"}, {"type": "boolean"}
# arguments of networks: sizes, numbers and plain words, which name no file and no place
PLAIN = either(number(), BOOL, NULL, {"type": "string", "pattern": r"^[a-z0-9_]{0,40}$"})
WORDS = either(PLAIN, several(either(PLAIN, several(PLAIN, 0)), 0))
