"""The table of all keys in config/README.md, from the schema that every config is checked with.

python -m nearnd.plan.parameters    writes it anew; a test compares
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nearnd import catalog

BASE = Path(__file__).parents[2]
SCHEMA = BASE / "workflow" / "schemas" / "config.schema.yaml"
README = BASE / "config" / "README.md"
BEGIN, END = "<!-- parameters -->\n", "<!-- end of parameters -->"
Schema = dict[str, Any]


def fields(whole: Schema, part: Schema, where: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """(key, its schema, whether its entry needs it) of all keys of a part of the whole schema but
    `kind`; those of entries are written `experiments: <name>: normals`."""
    part = _complete(whole, part)
    needed = part.get("required", []) + part.get("else", {}).get("required", [])
    for key, found in part.get("properties", {}).items():
        if key == "kind":  # the same for all
            continue
        yield f"{where}{key}", _complete(whole, found), bool(where) and key in needed
        yield from fields(whole, found, f"{where}{key}: ")
    if isinstance(entries := part.get("additionalProperties"), dict):
        yield from fields(whole, entries, f"{where}<name>: ")


def _complete(whole: Schema, part: Schema) -> Schema:
    """A schema with what its $ref names, where it does not say another thing itself."""
    return whole["$defs"][part["$ref"].split("/")[-1]] | part if "$ref" in part else part


def table(schema: Schema) -> str:
    """Markdown: a row for each key, what it may be, and what holds without it."""
    rows = ["| key | it may be | without it |", "|---|---|---|"]
    for key, found, needed in fields(schema, schema):
        without = _words(found["default"]) if "default" in found else "needed" * needed
        rows.append(f"| `{key}` | {found['description'].replace('<', chr(92) + '<')} | {without} |")
    return "\n".join(rows) + "\n"


def _words(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def written(text: str, new: str) -> str:
    """A README with another table in the place of its own."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + new + END + rest.partition(END)[2]


if __name__ == "__main__":
    made = written(README.read_text(encoding="utf-8"), table(catalog.load(SCHEMA)))
    README.write_text(made, encoding="utf-8")
