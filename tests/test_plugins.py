"""The registry reads plugins without importing them, and its digest follows behaviour only."""

import ast

import pytest

from nearnd import plugins

SOURCE = '''"""A plugin."""
from nearnd.contracts import silent
from nearnd.scores._help import value

NEEDS = ["backbone"]


def build(a, b=2, *, c, d=4):
    """Docs."""
    return value + 1  # a comment
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one stage that has one plugin and its helper."""
    folder = tmp_path / "nearnd"
    (folder / "scores").mkdir(parents=True)
    (folder / "scores" / "toy.py").write_text(SOURCE)
    (folder / "scores" / "_help.py").write_text("value = 1\n")
    (folder / "contracts.py").write_text("def silent(): pass\n")
    monkeypatch.setattr(plugins, "PACKAGE", folder)
    yield folder
    forget()


def forget():
    for cached in (plugins._tree, plugins.imports, plugins._meaning, plugins.digest):
        cached.cache_clear()


def digest_after(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    forget()
    return plugins.digest("scores", "toy")


def test_reads_names_arguments_and_literals(package):
    assert plugins.available("scores") == ["toy"]
    assert plugins.arguments("scores", "toy") == {"a": True, "b": False, "c": True, "d": False}
    assert plugins.constant("scores", "toy", "NEEDS") == ["backbone"]
    assert plugins.constant("scores", "toy", "CLASSES", []) == []
    assert plugins.defaults("scores", "toy") == {"b": 2, "d": 4}


def test_a_dataclass_stands_for_build(package):
    (package / "scores" / "toy.py").write_text(
        "@dataclass\nclass Toy(Base):\n    a: int\n    b: tuple = (1, 2)  # of ...\n"
        "    fixed = 3\n\n    def __call__(self): pass\n\nbuild = Toy\n"
    )
    forget()
    assert plugins.arguments("scores", "toy") == {"a": True, "b": False}
    assert plugins.defaults("scores", "toy") == {"b": (1, 2)}


def test_comments_and_docstrings_do_not_change_the_digest(package):
    before = plugins.digest("scores", "toy")
    file = package / "scores" / "toy.py"
    assert digest_after(file, "# a comment", "# another one") == before
    assert digest_after(file, '"""Docs."""', '"""Other docs."""') == before
    assert digest_after(file, "\n\n\ndef", "\n\n\n\ndef") == before


def test_code_changes_the_digest_also_in_what_is_imported(package):
    before = plugins.digest("scores", "toy")
    changed = digest_after(package / "scores" / "toy.py", "+ 1", "+ 2")
    assert changed != before
    assert digest_after(package / "scores" / "_help.py", "1", "2") not in (before, changed)


def test_what_only_an_estimate_asks_does_not_change_the_digest(package):
    file = package / "scores" / "toy.py"
    before = plugins.digest("scores", "toy")
    work = "def work(about, **rest):\n    from nearnd.scores import _more\n\n\ndef build("
    (package / "scores" / "_more.py").write_text("value = 3\n")
    assert digest_after(file, "def build(", work) == before
    assert digest_after(file, "_more", "_other") == before


def test_entries_are_checked_in_words(package):
    plugins.check_entry("scores", "mine", {"kind": "toy", "a": 1, "c": 2})
    with pytest.raises(ValueError, match=r"scores: mine: unknown kind 'tyo'.*Did you mean 'toy'"):
        plugins.check_entry("scores", "mine", {"kind": "tyo"})
    with pytest.raises(ValueError, match=r"argument of kind toy 'e'; there is a, b, c, d"):
        plugins.check_entry("scores", "mine", {"kind": "toy", "a": 1, "c": 2, "e": 3})
    with pytest.raises(ValueError, match=r"kind toy also needs c"):
        plugins.check_entry("scores", "mine", {"kind": "toy", "a": 1})
    with pytest.raises(ValueError, match=r"has no kind"):
        plugins.check_entry("scores", "mine", {"a": 1})


@pytest.mark.parametrize("stage", plugins.STAGES)
def test_every_plugin_builds_from_its_defaults(stage):
    """The paper's setting is the default: an entry needs no argument but its kind."""
    for kind in plugins.available(stage):
        assert not any(plugins.arguments(stage, kind).values()), f"{stage}/{kind}"


def test_of_many_names_those_alike_are_told_and_not_all():
    names = [f"method_{i}" for i in range(plugins.LISTED)]
    assert "method_7, " in str(plugins.unknown("entry of methods", "x", names, "run"))
    many = str(plugins.unknown("entry of methods", "colr", [*names, "colour"], "run"))
    assert many.endswith("none of the 51, which config/catalog has. Did you mean 'colour'?")


def test_no_plugin_states_a_thing_twice():
    """The registry would take the first, Python the last."""
    for file in plugins.PACKAGE.glob("*/*.py"):
        body = ast.parse(file.read_text()).body
        names = [n.targets[0].id for n in body
                 if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)]  # fmt: skip
        assert len(names) == len(set(names)), file
