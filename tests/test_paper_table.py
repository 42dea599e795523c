"""What stands in the cells of a paper's table: which numbers, and which marks."""

import numpy as np
import pandas as pd
import pytest
from synthetic import experiment, united

from nearnd.metrics import aupr_anomaly, auroc, fpr95
from nearnd.report import certainty, paired, reads, summary
from nearnd.report.evaluate import evaluate
from nearnd.tables_figures import paper_table
from nearnd.tables_figures._marks import LEGEND, MARK

FAR, WORST, CLOSEST, _ = certainty.METRICS
METHODS = ["method0", "method1", "method2"]
WORDS = [[m.upper(), m, "", True] for m in METHODS]


def table(data: dict, columns: list, **arguments) -> pd.DataFrame:
    """A table of a paper that has no numbers."""
    build = paper_table.build(**{"source": "none", "words": WORDS, "columns": columns} | arguments)
    return build(data | {"published": reads.published([])}).set_index("row")


@pytest.fixture(scope="module")
def data() -> dict:
    found = experiment(classes=4, methods=3, seeds=3)
    return found | {"closeness": found["closeness"].assign(test="own")}


# ---- means ----


def test_a_cell_is_a_mean_over_classes_then_datasets_then_seeds():
    metrics = pd.DataFrame(
        [["a", "1", 0, 0.5], ["a", "2", 0, 0.7], ["b", "1", 0, 0.9],
         ["a", "1", 1, 0.6], ["a", "2", 1, 0.8], ["b", "1", 1, 0.9]],
        columns=["dataset", "normal", "seed", "value"],
    ).assign(method="m", test="test", metric="auroc", anomaly="rest")  # fmt: skip
    data = {"metrics": metrics, "published": reads.published([]), "labels": {}}
    columns = [["both", {"dataset": ["a", "b"]}], ["a", {"dataset": ["a"]}],
               ["one", {"dataset": ["a"], "class": "2"}], ["none", {"dataset": ["a", "c"]}],
               ["mean", {"over": "mean", "among": ["both", "a"]}],
               ["sd", {"over": "sd", "among": ["both", "a"]}]]  # fmt: skip
    table = paper_table.build(
        source="none", words=[["M", "m", "", True], ["N", "n", "", False]], columns=columns
    )(data).set_index("row")
    # a: 0.6 and 0.7 by seed; both: 0.75 and 0.8
    assert list(table.loc["M"][:3]) == ["77.5 ± 3.5", "65.0 ± 7.1", "75.0 ± 7.1"]
    assert list(table.loc["M", ["mean", "sd", "runs"]]) == ["71.2", "6.2", "2"]
    notes = dict(note.split(" ", 1) for note in table.attrs["footnotes"])
    assert "without numbers of c" in notes[table.loc["M", "none"].split()[1]]
    assert "no method of the catalog has the row n" in notes[table.loc["N", "a"].split()[1]]
    assert "2 of its 2 numbers are missing" in notes[table.loc["N", "mean"].split()[1]]


def test_a_gain_is_relative_to_the_method_that_gains():
    rows = [["d", "1", 0, m, v] for m, v in (("plain", 0.6), ("nln", 0.8))]
    metrics = pd.DataFrame(rows, columns=["dataset", "normal", "seed", "method", "value"])
    data = {"metrics": metrics.assign(test="test", metric="auroc", anomaly="rest"),
            "published": reads.published([]), "labels": {}}  # fmt: skip
    build = paper_table.build(source="none", words=[["AE", "nln", "plain", True]], more=False,
                              columns=[["", {}]])  # fmt: skip
    assert build(data).loc[0, "value"] == "25.0"


def by_hand() -> dict:
    """Scores of two methods, with AUROCs that are counted in the head. Normal images are 1, 3, 5,
    7 by both. Method a: class x is 0, 4 (0 and 2 of 4 below: 2 of 8 pairs), class y is 6, 8 (7 of
    8), all anomalies 9 of 16. Method b: x is 8, 8 (8 of 8), y is 2, 5 (1 and 2.5 of 4: 3.5 of 8),
    all 11.5 of 16."""
    classes = ["n"] * 4 + ["x"] * 2 + ["y"] * 2
    scores = {"a": [1, 3, 5, 7, 0, 4, 6, 8], "b": [1, 3, 5, 7, 8, 8, 2, 5]}
    base = {"dataset": "d", "normal": "n", "seed": 0}
    runs = [base | {"method": m, "images": "test"} for m in scores]
    tables = [
        pd.DataFrame({"id": list("01234567"), "class": classes, "score": np.float32(values)})
        for values in scores.values()
    ]
    tables = [table.assign(is_anomaly=table["class"] != "n") for table in tables]
    measures = {m.__name__.rpartition(".")[2]: m.build() for m in (auroc, fpr95, aupr_anomaly)}
    found = {"metrics": evaluate(runs, tables, measures), "paired": paired.collect(runs, tables)}
    return found | {"labels": {}}


def test_bottom1_and_other_metrics_by_hand():
    found = by_hand()
    metrics = {FAR: FAR, "bottom-1": WORST, "class": "worst_class", "FPR95": "fpr95",
               "AUPR": "aupr_anomaly"}  # fmt: skip
    columns = [[word, {"metric": m}] for word, m in metrics.items()]
    got = table(found, columns, words=[["A", "a", "", True], ["B", "b", "", True]])
    got = got.map(lambda cell: str(cell).removesuffix(f" {MARK}"))
    # 9 / 16; 2 / 8; of the anomalies 0, 4 and 6 pass with all normal images, up to 7;
    # precision 1, 2/3, 3/5 and 4/8 at the scores 8, 6, 4, 0: a quarter of their sum
    assert list(got.loc["A", list(metrics)]) == ["56.2", "25.0", "x", "75.0", "69.2"]
    # 11.5 / 16; 3.5 / 8; 2 and 5 pass; at 8 two of two are anomalies, from 5 on three of five,
    # from 2 on four of seven: 1/2 + 3/20 + 1/7
    assert list(got.loc["B", list(metrics)]) == ["71.9", "43.8", "y", "50.0", "79.3"]
    assert summary.bottom(found["metrics"])["value"].tolist() == [2 / 8, 3.5 / 8]
    certain = certainty.certainty(found["paired"][0], WORST)
    assert certain.mean[:, 0] == pytest.approx([2 / 8, 3.5 / 8], abs=1e-15)
    # of a, the class x alone: 0 and 4 have 0 and 1/2 of the normal images below, mean 1/4; above
    # 1, 3, 5, 7 are 1/2, 1/2, 0, 0 of these two. Each less the mean, by the root of n (n - 1)
    parts = [*np.array([1, 1, -1, -1]) / 4 / np.sqrt(12), *np.array([-1, 1]) / 4 / np.sqrt(2), 0, 0]
    assert certain.parts[0, 0] == pytest.approx(parts, abs=1e-15)


def test_corrupted_copies_are_means_over_slices_and_carry_no_mark(data):
    columns = [
        ["mean", {"test": "shapes_c.test/mean"}],
        ["fog", {"test": "shapes_c.test", "by": "corruption", "corruption": "fog"}],
        ["fog, 3", {"test": "shapes_c.test/fog/3"}],
        ["class", {"test": "shapes_c.test/mean", "class": "class 1"}],
    ]
    got, slices = table(data, columns), data["slices"].query("method == 'method1'")
    for word, rows in [
        ("mean", slices),
        ("fog", slices[slices["corruption"] == "fog"]),
        (
            "fog, 3",
            slices[(slices["corruption"] == "fog") & (slices["severity"].astype(str) == "3")],
        ),
        ("class", slices[slices["normal"] == "class 1"]),
    ]:
        seeds = 100 * rows.groupby("seed")["value"].mean()
        expected = f"{seeds.mean():.1f} ± {seeds.std():.1f}"
        assert got.loc["METHOD1", word] == expected, word  # no mark: a mean of AUROCs over slices
    columns = [["each", {"test": "shapes_c.test", "each": "corruption"}]]
    assert "each, fog" in table(data, columns)


# ---- marks ----


def cells(found: pd.DataFrame, column: str) -> list[bool]:
    return [MARK in found.loc[m.upper(), column] for m in METHODS]


@pytest.mark.parametrize("metric", [FAR, WORST, CLOSEST])
def test_marks_are_those_of_the_other_tables(data, metric):
    near = {f"class {c}": f"class {c + 1}" for c in range(4)}
    certain = certainty.certainty(data["paired"][0], metric, near)
    told = certainty.ties(certain, METHODS[int(certain.mean.mean(1).argmax())])
    found = table(data, [["c", {"test": "own", "metric": metric}]], interval=True)
    assert cells(found, "c") == [told[m] for m in METHODS]
    for method in METHODS:
        low, high = (100 * end for end in certainty.interval(certain, method))
        assert f"({low:.1f} to {high:.1f})" in found.loc[method.upper(), "c"]
    assert table(data, [["c", {"test": "own"}]]).attrs["legend"].startswith(LEGEND)


def test_what_cannot_be_compared_has_no_mark(data):
    far = {"test": "own"}
    columns = [["far", far], ["fpr", far | {"metric": "fpr95"}]]
    assert True in cells(table(data, columns), "far")
    assert True not in cells(table(data, columns), "fpr")
    alone = table(data, columns, words=WORDS[:1], more=False, interval=True)
    assert MARK not in alone.loc["METHOD0", "far"]  # nothing to compare it with
    assert " to " in alone.loc["METHOD0", "far"]
    unpaired = table(data | {"paired": []}, columns)
    assert True not in cells(unpaired, "far")
    assert "legend" not in unpaired.attrs


def test_a_class_is_compared_by_its_own_images(data):
    column = {"test": "own", "class": "class 2"}
    certain = certainty.certainty(data["paired"][0], FAR)
    means = dict(zip(METHODS, certain.mean[:, 2], strict=True))
    told = certainty.ties(certain, max(means, key=means.get), normals=["class 2"])
    assert cells(table(data, [["c", column]]), "c") == [told[m] for m in METHODS]


def test_a_mean_over_datasets_has_the_error_of_independent_numbers(data):
    """Twice the same numbers on other images: the same mean, and its error by the root of two."""
    both = united(data, experiment(classes=4, methods=3, seeds=3), factor=1.0)
    both["paired"] = data["paired"] + [each._replace(dataset="rings") for each in data["paired"]]
    of = {"dataset": ["shapes", "rings"], "test": "own"}
    found = table(both, [["both", of], ["one", {"dataset": ["shapes"], "test": "own"}]])
    assert [cell.split(" ")[0] for cell in found["both"]] == [
        cell.split(" ")[0] for cell in found["one"]
    ]
    one = certainty.certainty(data["paired"][0])
    two = certainty.over_datasets([(one, one.normals)] * 2, METHODS)
    assert two.mean.mean(1) == pytest.approx(one.mean.mean(1))
    error = [np.linalg.norm(c.mean_parts.mean(1), axis=1) for c in (one, two)]
    assert error[1] == pytest.approx(error[0] / np.sqrt(2))
    assert (two.sizes == one.sizes.min(1, keepdims=True)).all()


# ---- the class that the paper calls near ----


def test_the_papers_closest_classes_take_the_place_of_ours(data):
    closest = {f"class {c}": f"class {(c + 2) % 5}" for c in range(4)} | {"class 9": "class 0"}
    columns = [[m, {"test": "own", "metric": m}] for m in (CLOSEST, f"{CLOSEST}_stated")]
    found = table(data, columns, closest=closest)
    assert list(found[CLOSEST]) == list(table(data, columns[:1])[CLOSEST])
    rows = data["metrics"].query("method == 'method0' and metric == 'auroc'")
    pairs = {(n, a) for n, a in closest.items()}
    rows = rows[[pair in pairs for pair in zip(rows["normal"], rows["anomaly"], strict=True)]]
    seeds = 100 * rows.groupby("seed")["value"].mean()
    stated = found.loc["METHOD0", f"{CLOSEST}_stated"].removesuffix(f" {MARK}")
    assert stated == f"{seeds.mean():.1f} ± {seeds.std():.1f}"
    certain = certainty.certainty(data["paired"][0], CLOSEST, closest)
    means = dict(zip(METHODS, certain.mean.mean(1), strict=True))
    told = certainty.ties(certain, max(means, key=means.get))
    assert cells(found, f"{CLOSEST}_stated") == [told[m] for m in METHODS]
