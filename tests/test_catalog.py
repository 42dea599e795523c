"""The catalog: its files, a config laid over it, and short entries written out."""

import contextlib
import copy
import re
from pathlib import Path

import pytest
import yaml

from nearnd import catalog
from nearnd.plan.check import check

FOLDER = Path(__file__).parents[1] / "config" / "catalog"
PARTS = {
    "scores": {"knn2": {"kind": "knn"}, "head": {"kind": "head", "label": "its own number"}},
    "detectors": {"d": {"kind": "binary", "backbone": "net", "outliers": "f", "epochs": 4}},
    "fakes": {"f": {"kind": "exposure", "dataset": "letters", "ratio": 8}},
}


@pytest.fixture(scope="module")
def shipped():
    return catalog.whole(FOLDER)


def derived(**methods):
    return catalog.derive(copy.deepcopy(PARTS) | {"methods": methods})


# ---- files, and configs over them ----


def test_an_entry_without_a_kind_changes_one_with_a_kind_replaces():
    old = {"scores": {"knn": {"kind": "knn", "k": 2, "distance": "l2"}}}
    changed = catalog.lay_over(old, {"scores": {"knn": {"k": 5}}, "run": ["x"]})
    assert changed == {"scores": {"knn": {"kind": "knn", "k": 5, "distance": "l2"}}, "run": ["x"]}
    for new in ({"kind": "knn"}, {"like": "other"}):
        assert catalog.lay_over(old, {"scores": {"knn": new}})["scores"]["knn"] == new
    assert old["scores"]["knn"]["k"] == 2


@pytest.mark.parametrize(("section", "key", "target"), [
    ("methods", "detector", "detectors"), ("methods", "score", "scores"),
    ("detectors", "outliers", "fakes"), ("detectors", "backbone", "backbones"),
    ("fakes", "generator", "generators"),
])  # fmt: skip
def test_a_change_of_what_an_entry_names_is_one_of_a_copy(section, key, target, shipped):
    """Of every entry of the catalog, whichever way it was written there."""
    named = {name: entry[key] for name, entry in shipped[section].items() if key in entry}
    changes = {section: {name: {key: {"marked": name}} for name in named}}
    whole = catalog.derive(catalog.lay_over(shipped, changes))
    assert len(named) > 5
    for name, old in named.items():
        new = whole[section][name][key]
        assert new == f"{old}_of_{name}"
        kept = {k: v for k, v in whole[target][old].items() if k not in catalog.OWN}
        assert whole[target][new] == kept | {"marked": name}
        assert "marked" not in whole[target][old]


def test_two_changes_of_one_detector_stay_apart():
    catalog_ = catalog.derive(copy.deepcopy(PARTS) | {
        "methods": {m: {"detector": "d", "score": "knn2"} for m in "ab"}
    })  # fmt: skip
    changes = {m: {"detector": {"epochs": i, "outliers": {"ratio": i}}} for i, m in enumerate("ab")}
    whole = catalog.derive(catalog.lay_over(catalog_, {"methods": changes}))
    for i, m in enumerate("ab"):
        detector = whole["detectors"][whole["methods"][m]["detector"]]
        assert detector["epochs"] == i
        assert whole["fakes"][detector["outliers"]]["ratio"] == i
    assert whole["detectors"]["d"] == PARTS["detectors"]["d"]


def test_what_the_command_line_says_means_what_it_means_in_a_file():
    given = ["scores={svm: {nu: 0.5, standardise: false, pca: null}}", "seeds=[0, 1]", "device=cpu"]
    given += ['run=["2", x]', "mirrors="]
    assert catalog.from_arguments(given) == {
        "scores": {"svm": {"nu": 0.5, "standardise": False, "pca": None}},
        "seeds": [0, 1], "device": "cpu", "run": ["2", "x"], "mirrors": None,
    }  # fmt: skip
    with pytest.raises(ValueError, match="--config a={b: is not readable as YAML"):
        catalog.from_arguments(["a={b:"])


def test_aliases_of_aliases_are_refused_before_they_are_written_out(shipped):
    bomb = ["x"]
    for _ in range(30):
        bomb = [bomb] * 10
    with pytest.raises(ValueError, match="scores holds more than 100,000 values"):
        catalog.bounded({"run": ["a"], "scores": {"a": bomb}})
    bomb.append(bomb)
    with pytest.raises(ValueError, match="mirrors holds more than"):
        catalog.bounded({"mirrors": bomb})
    assert catalog.bounded(shipped) is shipped


def test_a_name_given_twice_in_the_catalog(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text("scores: {same: {kind: knn}}")
    with pytest.raises(ValueError, match=r"scores: same stands in both a\.yaml and b\.yaml"):
        catalog.read_catalog(tmp_path)


def test_a_config_changes_what_the_catalog_wrote_short(shipped):
    over = {"detectors": {"hsc_digits": {"epochs": 1}}, "fakes": {"glyphs_images4": {"ratio": 1}}}
    changed = catalog.whole(FOLDER, over)
    for section, entries in over.items():
        for name, entry in entries.items():
            assert changed[section][name] == shipped[section][name] | entry
    own = {"methods": {"mine": {"like": "hsc_digits", "detector": {"lr": 0.1}}}}
    assert catalog.whole(FOLDER, over, own)["detectors"]["hsc_digits_mine"]["epochs"] == 1


# ---- short entries ----


def test_twice_derived_is_once_derived_and_nothing_given_is_changed(shipped):
    raw = catalog.read_catalog(FOLDER)
    before = copy.deepcopy(raw)
    assert catalog.derive(raw) == shipped == catalog.derive(shipped)
    assert raw == before


def test_a_method_needs_a_detector_alone_and_a_score_says_whether_there_is_a_bank():
    found = derived(
        a={"detector": "d"}, b={"detector": "d", "score": "head"}, c={"like": "a", "score": "head"}
    )["methods"]
    assert found["a"] == {"detector": "d", "score": "knn2", "bank": "full"}
    assert found["b"] == found["c"] == {"detector": "d", "score": "head", "bank": "none"}
    given = derived(a={"detector": "d", "bank": "coreset"})["methods"]["a"]
    assert given["bank"] == "coreset"


def test_an_entry_in_the_place_of_a_name_is_called_like_the_one_around_it():
    fakes = {"kind": "exposure", "dataset": "words"}
    found = derived(new={"detector": {"like": "d", "outliers": fakes}})
    assert found["methods"]["new"]["detector"] == "new"
    assert found["detectors"]["new"] == PARTS["detectors"]["d"] | {"outliers": "new"}
    assert found["fakes"]["new"] == fakes


def test_a_changed_copy_is_called_like_its_original_with_the_words_that_are_new():
    found = derived(
        up_all={"detector": "d", "label": "All", "row": "up", "score": "head"},
        up_few={"like": "up_all", "detector": {"outliers": {"images": 3}, "epochs": 9}},
    )
    assert found["methods"]["up_few"] == {"detector": "d_few", "score": "head", "bank": "none"}
    changes = {"outliers": "f_few", "epochs": 9}
    assert found["detectors"] == PARTS["detectors"] | {"d_few": PARTS["detectors"]["d"] | changes}
    assert found["fakes"]["f_few"] == PARTS["fakes"]["f"] | {"images": 3}


def test_a_series_is_what_its_members_would_be_if_each_were_written():
    base = {"detector": "d", "label": "All"}
    series = {
        "like": "all",
        "vary": {"detector.outliers.blur": [0.5, 2.0]},
        "label": "blur {}",
        "row": "blurred{}",
    }
    members = {
        f"all_blur{name}": {
            "like": "all",
            "detector": {"outliers": {"blur": float(value)}},
            "label": f"blur {value}",
            "row": f"blurred{value}",
        }
        for name, value in (("05", "0.5"), ("2", "2"))
    }
    assert derived(**{"all": base, "all_blur{}": series}) == derived(all=base, **members)
    stops = {"f": PARTS["fakes"]["f"], "s{}": {"like": "f", "vary": {"stop": {3: {"step": 3}}}}}
    found = catalog.derive({"fakes": stops})["fakes"]["s3"]
    assert found == PARTS["fakes"]["f"] | {"stop": {"step": 3}}


def test_in_a_label_braces_are_the_label_of_the_entry_that_the_value_names():
    found = derived(
        **{
            "a{}": {"detector": "d", "vary": {"score": ["knn2", "head"]}, "label": "with {}"},
            "{}_twin": {
                "vary": {"like": ["ahead"]},
                "detector": {"epochs": 1},
                "label": "{} again",
            },
        }
    )["methods"]
    labels = {name: method["label"] for name, method in found.items()}
    assert labels == {
        "aknn2": "with knn2",
        "ahead": "with its own number",
        "ahead_twin": "with its own number again",
    }


def test_series_of_the_catalog(shipped):
    for n in (1, 4, 16, 64, 256):
        assert shipped["methods"][f"oe_images{n}"]["detector"] == f"oe_digits_images{n}"
        assert shipped["detectors"][f"oe_digits_images{n}"]["outliers"] == f"glyphs_images{n}"
        assert shipped["fakes"][f"glyphs_images{n}"]["images"] == n
    for k in (1, 2, 5, 10, 50):
        method = shipped["methods"][f"fitymi_k{k}"]
        assert shipped["scores"][method["score"]]["k"] == k
        assert method["label"] == f"k = {k}"


def test_the_rows_of_an_experiment_differ(shipped):
    """A table over several datasets has one row for a method, one method for a row and dataset."""
    rows = {name: method.get("row", name) for name, method in shipped["methods"].items()}
    for name, experiment in shipped["experiments"].items():
        own = [rows[method] for method in experiment.get("methods", [])]
        assert len(own) == len(set(own)), name
    for row in ("fitymi", "frozen", "hsc", "patchcore", "panda"):
        assert list(rows.values()).count(row) > 1


MISTAKES = [
    ({"m": {"like": "fitymi_digit"}},
     r"methods: m: like: unknown entry of methods 'fitymi_digit'.*Did you mean 'fitymi_digits'"),
    ({"m": {"like": "n"}, "n": {"like": "m"}}, r"methods: n: like leads back to m"),
    ({"m": {"detector": {"epochs": 3}}},
     r"methods: m: detector is {'epochs': 3}; it may be the name of an entry of detectors"),
    ({"oe_digits": {"detector": {"like": "oe_digits"}}},
     r"methods: oe_digits: detector: would be called oe_digits, but detectors has an entry of"),
    ({"oe{}": {"like": "oe", "vary": {"detector.shift": ["_images1"]}}},
     r"methods: oe{}: makes an entry oe_images1, but there is one"),
    ({"m{}": {"like": "oe", "vary": {"score": "knn5"}}}, r"m{}: vary: score is knn5; it may be a"),
    ({"m{}": {"like": "oe", "vary": {"score": [[]]}}}, r"numbers or names, or, .*{name: value}"),
    ({"m{}": {"like": "oe", "vary": {"a": [1], "b": [2]}}}, r"m{}: vary is .*one argument and its"),
    ({"m": {"like": "oe", "vary": {"score": ["knn5"]}}}, r"name has to say.*such as m_{}"),
]  # fmt: skip


@pytest.mark.parametrize(("methods", "words"), MISTAKES, ids=lambda x: x if type(x) is str else "")
def test_mistakes_in_short_entries_are_named(methods, words):
    with pytest.raises(ValueError, match=words):
        catalog.whole(FOLDER, {"methods": methods})


def test_what_is_no_entry_is_left_to_the_schema_or_named():
    for section in ("methods", "detectors", "fakes", "scores"):
        for odd in (None, 3, "x", [[]], {}, {"x": 3}, {1: {}}, {"x": {"vary": []}}):
            config = PARTS | {"methods": {"m": {"detector": {"like": "d"}}}, section: odd}
            with contextlib.suppress(ValueError):
                catalog.derive(config)


def test_the_examples_of_the_config_guide_are_sound(shipped):
    guide = (FOLDER.parent / "README.md").read_text()
    base = yaml.safe_load((FOLDER.parent / "config.yaml").read_text())
    for text in re.findall(r"```yaml\n(.*?)```", guide, re.S):
        check(catalog.whole(FOLDER, base, yaml.safe_load(text)))
    short = catalog.whole(FOLDER, yaml.safe_load(re.search(r"```yaml\n(.*?)```", guide, re.S)[1]))
    assert short["methods"]["my_hsc"]["detector"] == "my_hsc"
    assert short["methods"]["fitymi_slow"]["detector"] == "fitymi_digits_slow"
    assert short["fakes"]["digits_near_ratio4"] == shipped["fakes"]["digits_near"] | {"ratio": 4}
    assert short["methods"]["frozen_by_trees"]["label"] == "by isolation forest"


def test_the_order_of_keys_means_nothing(tmp_path):
    one = {"scores": {"a": {"kind": "knn", "k": 2, "x": {"b": 1, "a": [{"d": 1, "c": 2}]}}}}
    two = {"scores": {"a": {"x": {"a": [{"c": 2, "d": 1}], "b": 1}, "k": 2, "kind": "knn"}}}
    assert repr(catalog.whole(tmp_path, one)) == repr(catalog.whole(tmp_path, two))
