"""Whatever stands in a config, its check ends in silence or in a sentence that names the entry."""

import copy
import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from _fuzz import inputs
from hypothesis import event, example, given
from hypothesis import strategies as st
from snakemake.exceptions import WorkflowError

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.plan import inputs as rules_read
from nearnd.plan import resources, start
from nearnd.plan.run import Run

ROOT = Path(__file__).resolve().parents[2]
KEPT = {  # a catalog so small that thousands of configs can be checked
    "datasets": ["digits", "glyphs", "own", "digits_c"], "backbones": ["glyph_vit"],
    "generators": ["digits_ve"], "monitors": ["glyph_vit"], "fakes": ["digits_near"],
    "detectors": ["pixels", "frozen_glyph_vit", "fitymi_digits"], "banks": ["full", "coreset"],
    "scores": ["knn2"], "metrics": None, "closeness": ["linear"], "methods": None,
    "drawings": None, "experiments": [], "samplers": None, "papers": [],
}  # fmt: skip
METHODS = ("pixels", "frozen_digits", "fitymi_digits")


def pruned(whole: dict) -> dict:
    """The sections with the entries of KEPT; methods whose parts are there."""
    found = {}
    for section, entries in whole.items():
        names = KEPT.get(section, entries)
        names = entries if names is None else names
        found[section] = {name: entries[name] for name in names if name in entries}
    found["methods"] = {name: found["methods"][name] for name in METHODS}
    found["samplers"] = dict(list(found["samplers"].items())[:2])
    return found


class Planning:
    """What snakemake does with a config until the first job: checks it, asks for files."""

    files = (("fakes", "own"), ("generators", "own"))  # that name some

    def __repr__(self):
        return "Planning()"

    def __call__(self, changes):
        config = catalog.lay_over(copy.deepcopy(TOY), changes)
        try:
            config = catalog.lay_over(copy.deepcopy(CATALOG), catalog.bounded(config))
            config = catalog.derive(config)
            start.check_whole(config, ROOT)
            run = Run(config)
            for experiment in run.experiments:
                rules_read.metrics(run, SimpleNamespace(experiment=experiment))
            for dataset in config["datasets"]:
                resources.size(config, dataset)
        except ValueError as error:
            raise WorkflowError(f"config: {error}") from None
        for section, name in self.files:
            if name in config.get(section, {}):
                try:  # as `missing_files` does
                    run.outside(section, name)
                    plugins.call(section, run.entry(section, name), "inputs")
                except ValueError as error:
                    raise WorkflowError(f"{section}: {name}: {error}") from None
        return config


@pytest.fixture(scope="module")
def plan():
    return Planning()


TOY = yaml.safe_load((ROOT / "tests/toy.yaml").read_text()) | {"mirrors": []}


plain = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 300), st.floats(allow_nan=True),
    st.sampled_from(["digits", "pixels", "", "knn", "a b", "$(x)", "digits.test", "../x", "test",
                     "none", "all", "each", "image_folder", 10**30, -1, math.inf]),
    st.text(max_size=5),
)  # fmt: skip
anything = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(0, 3), inner, max_size=3)
    ),
    max_leaves=5,
)


def words_of(catalog) -> list[str]:
    """Every key and name that means something, for the fuzzer to put elsewhere."""
    found = set()
    for section, entries in catalog.items():
        found |= {section, *entries, "like", "vary"}
        for entry in entries.values():
            found |= set(entry)
    return sorted(map(str, found))


CATALOG = pruned(catalog.whole(ROOT / "config/catalog"))
CATALOG["datasets"]["own"] = {"kind": "image_folder", "path": "nowhere"}
CATALOG["papers"]["fitymi_table_1a"] = {"words": {"Ours": "pixels"}, "columns": {"Toy": "toy"}}
LINK = "https://example.org/a"
CATALOG["fakes"]["own"] = {"kind": "imported", "file": f"{LINK}.npy", "per_class": 3}
CATALOG["generators"]["own"] = {
    "kind": "checkpoint", "monitor": "glyph_vit", "weights": f"{LINK}.pth",
    "model": {"kind": "score_sde", "nf": 8},
}  # fmt: skip
WORDS = words_of(CATALOG)
words = st.sampled_from(WORDS)


def alike(old):
    """Values that a user could have meant."""
    if isinstance(old, bool | int | float):
        return st.sampled_from([0, -1, 0.5, 1e9, True, False, str(old), [old], None, math.nan])
    if isinstance(old, list):
        return st.sampled_from([[], [[]], old * 2, old[:1], [*old, 3], str(old), {"a": old}])
    if isinstance(old, dict):
        keys = st.sampled_from([*old, "x"])
        return st.builds(lambda key, value: {**old, key: value}, keys, plain | words)
    odd = [str(old).upper(), f" {old}", [old], {"kind": old}, {"like": old}, 3, True, ""]
    return st.sampled_from(odd) | st.dictionaries(words, words | plain, max_size=2)


@st.composite
def changed(draw):
    """A config: toy.yaml with one or two things in it replaced or added."""
    changes = {}
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        section = draw(st.sampled_from([*KEPT, *KEPT, *KEPT, "run", "seeds", "mirrors", "device"]))
        depth = draw(st.integers(0, 19))
        if depth == 0 or section not in CATALOG:
            changes[draw(st.just(section) | words)] = draw(anything | words)
            continue
        there = CATALOG[section] | TOY.get(section, {})
        if not isinstance(changes.setdefault(section, {}), dict):
            continue
        names = st.sampled_from(sorted(there))
        name = draw(names if depth > 2 else names | words | st.text(max_size=4))
        if depth == 1:
            changes[section][name] = draw(anything)
            continue
        old = {**CATALOG[section].get(name, {}), **TOY.get(section, {}).get(name, {})}
        known = sorted({*old, *arguments(section, old), "like", "vary"})
        key = draw(st.sampled_from(known) if depth > 3 else words)
        value = draw(st.one_of(alike(old.get(key)), words, anything))
        entry = changes[section].setdefault(name, old)
        if isinstance(entry, dict):
            changes[section][name] = {**entry, key: value}
    return changes


def arguments(section: str, entry: dict) -> list[str]:
    """What the kind behind an entry takes."""
    stage = settings.STAGE.get(section, section)
    plain = section in settings.KEYS and "kind" in entry
    return [*plugins.arguments(stage, entry["kind"]), *settings.KEYS[section]] if plain else []


def judge(plan, changes):
    """The sentence, or "" if the config is sound."""
    try:
        plan(changes)
    except WorkflowError as error:
        text = str(error)
        assert text.strip()
        assert "Traceback" not in text
        named = [str(section) for section in changes]
        named += [str(name) for entries in changes.values() if isinstance(entries, dict)
                  for name in entries]  # fmt: skip
        assert any(name in text or repr(name) in text for name in named if name), text
        return text
    return ""


@inputs(150)
@given(changes=changed())
def test_a_random_config_is_checked_without_surprise(plan, changes):
    event("refused" if judge(plan, changes) else "sound")


FOUND = [  # by the test above, each of which was once an error without a sentence
    {"detectors": {"pixels": {"kind": "pixels", "backbone": {}}}},
    {"datasets": {"digits": {"kind": "digits", "of": ["glyphs"]}}},
    {"scores": {"knn2": {"kind": "knn", "feature": [None]}}},
    {"scores": {"knn2": {"kind": "knn", "feature": None}}},
    {"generators": {"digits_ve": {"network": "large"}}},
    {"generators": {"own": {"model": True}}},
    {"generators": {"own": {"weights": 3}}},
    {"fakes": {"own": {"file": "https://example.org/.."}}},
    {"fakes": {"own": {"file": "https://example.org/{x}.npy"}}},
    {"fakes": {"digits_near": {"ratio": math.nan}}},
    {"fakes": {"digits_near": {"ratio": math.inf}}},
    {"seeds": {}}, {"run": {"toy": 1}}, {"datasets": None},
]  # fmt: skip


@pytest.mark.parametrize("changes", FOUND, ids=repr)
def test_what_was_found_is_refused_in_a_sentence(plan, changes):
    assert judge(plan, changes)


def test_the_toy_itself_is_sound(plan):
    plan({})


@inputs(20)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(b"{a: ")
@example(b"scores: {x: !!python/object/apply:os.getcwd []}")
@example(b"- 1\n- 2")
@example(b"scores: 3")
@example(b"a: &x [*x]")
@example(b"\xff\xfe")
def test_a_catalog_file_of_any_bytes_is_read_or_named(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "catalog"
    folder.mkdir(exist_ok=True)
    (folder / "odd.yaml").write_bytes(content)
    try:
        catalog.read_catalog(folder)
    except ValueError as error:
        said = str(error)
    else:
        said = "odd.yaml"
    finally:
        os.unlink(folder / "odd.yaml")
    assert "odd.yaml" in said
