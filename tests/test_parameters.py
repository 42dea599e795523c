"""What stands in the schema of a config: every key is described, and the table of the README and
the defaults that are stated are what holds."""

import re

import pytest
import yaml
from toy import ROOT

from nearnd import catalog, config, papers
from nearnd.jobs import monitor
from nearnd.plan import parameters
from nearnd.plan.start import check_schema

SCHEMA = catalog.load(parameters.SCHEMA)
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def keys(part, where=()):
    """(where it stands, its schema) of every key at any depth, references and all."""
    if isinstance(part, list):
        for one in part:
            yield from keys(one, where)
    if isinstance(part, dict):
        for key, found in part.get("properties", {}).items():
            yield (*where, key), found
        for key, found in part.items():
            yield from keys(found, (*where, key))


def test_every_key_is_described():
    found = list(keys(SCHEMA))
    assert len(found) > 70
    described = {key: SCHEMA["$defs"][s["$ref"].split("/")[-1]] | s if "$ref" in s else s
                 for key, s in found}  # fmt: skip
    for key, schema in described.items():  # it ends the sentence "it may be ..."
        words = schema.get("description", "")
        assert len(words.split()) > 1, key
        assert words[0].islower(), key
        assert not words.endswith("."), key


def test_the_table_in_the_readme_is_that_of_the_schema():
    text = parameters.README.read_text(encoding="utf-8")
    made = parameters.table(SCHEMA)
    assert parameters.written(text, made) == text, "python -m nearnd.plan.parameters"
    for key in ("`run`", "`datasets: <name>: only`", "`experiments: <name>: samplers: step`"):
        assert f"| {key} |" in made
    sections = {"run", "seeds", "mirrors", "device", "monitors", "methods", "experiments", "papers"}
    assert sections | config.KEYS.keys() == set(SCHEMA["properties"])
    # what config.py takes for no argument of a kind is what the schema has
    for section, known in config.KEYS.items():
        shown = {key for key, *_ in parameters.fields(SCHEMA, SCHEMA)
                 if key.startswith(f"{section}: <name>: ") and key.count(": ") == 2}  # fmt: skip
        own = {key.rpartition(": ")[2] for key in shown}
        assert own - config.ENTRIES.get(section, {}).keys() == set(known), section


def test_a_stated_default_is_what_holds():
    stated = {
        key: s["default"] for key, s, _ in parameters.fields(SCHEMA, SCHEMA) if "default" in s
    }
    method = catalog.derive({"methods": {"m": {"detector": "d"}}})["methods"]["m"]
    expected = {
        **{key: DEFAULT[key] for key in ("run", "seeds", "mirrors", "device")},
        **{f"experiments: <name>: {key}": value for key, value in config.DEFAULTS.items()},
        **{f"methods: <name>: {key}": method[key] for key in ("bank", "score")},
        "monitors: <name>: share": monitor.SHARE,
        "monitors: <name>: least": monitor.LEAST,
        "papers: <name>: drawing": papers.TABLE,
    }
    assert {key: stated[key] for key in expected} == expected
    # stated where they are read: rules/fakes.smk, rules/samplers.smk
    rest = {"fakes: <name>: ratio": "ratio", "experiments: <name>: samplers: repeats": "repeats"}
    assert stated.keys() - expected.keys() == rest.keys()
    rules = "".join(file.read_text() for file in (ROOT / "rules").glob("*.smk"))
    for key, word in rest.items():
        assert f'.get("{word}", {stated[key]})' in rules


@pytest.mark.parametrize(("entry", "words"), [
    ({"dataset": "digits", "normals": "all"}, "mine: 'methods' is a required property"),
    ({"of": ["digits"], "methods": []},
     "experiments: mine: a name is 'methods'; it may be of, drawings, note or label, where an"
     " experiment unites others (of)"),
    ({"dataset": "digits", "normals": "all", "methods": [], "tests": []},
     "tests is []; it may be a list of test sets"),
    ({"dataset": 3, "normals": "all", "methods": []}, "dataset is 3; it may be the name of the"),
])  # fmt: skip
def test_a_mistake_is_said_in_the_words_of_the_schema(entry, words):
    whole = catalog.whole(ROOT / "config/catalog", DEFAULT)
    whole["experiments"]["mine"] = entry
    with pytest.raises(ValueError, match=re.escape(words)):
        check_schema(whole, ROOT)
