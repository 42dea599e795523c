"""Open sets: which classes are known, what is measured, and what is mixed into a normal set."""

import numpy as np
import pandas as pd
import pytest
from test_selection import CLASSES, images

from nearnd import plugins
from nearnd.config import drawn, normals
from nearnd.jobs.subset import mixed, select
from nearnd.metrics._open_set import UNKNOWN, answered
from nearnd.report.evaluate import evaluate
from nearnd.tables_figures.open_set import openness
from nearnd.tasks import Normal


def metric(kind, **arguments):
    return plugins.build("metrics", {"kind": kind, **arguments})


# ---- which classes are known ----


def test_draws_of_known_classes_differ_and_are_the_same_on_every_machine():
    names = [str(i) for i in range(10)]
    found = drawn(names, "here", known=6, trials=20)
    assert len(set(found)) == 20
    assert found[:5] == drawn(names, "here", known=6, trials=5)
    assert found[0] == "one-of-1+2+3+5+6+8"  # as it was on the day this was written
    for text in found:
        assert len(Normal.parse(text).names) == Normal.parse(text).count(10) == 6
    every = drawn(names[:4], "here", known=2, trials=6)
    assert len(every) == 6  # all there are
    assert found != drawn(names, "here", known=6, trials=20, seed=1)


def test_draws_that_cannot_be_are_refused_in_words():
    for asked, words in [
        ({"known": 4, "trials": 1}, r"known is 4; of 4 classes it may be 2 to 3"),
        ({"known": 2, "trials": 7}, r"trials is 7, but only 6 choices differ"),
    ]:
        with pytest.raises(ValueError, match=words):
            drawn(CLASSES, "here", **asked)
    with pytest.raises(ValueError, match=r"'c\+\+' contains \+"):
        drawn(["c++", "b", "d"], "here", known=2, trials=1)
    with pytest.raises(ValueError, match="too long for a folder's name"):
        drawn([f"{i:099d}" for i in range(9)], "here", known=3, trials=1)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["one-of-3+ten"], r"unknown normal 'ten'"),
        (["one-of-3+3"], r"one-of-3\+3 names a class twice"),
        (["one-of-3+all"], r"unknown normal 'all'"),
    ],
)
def test_several_classes_by_name(asked, words):
    config = {"datasets": {"d": {"kind": "digits"}}, "experiments": {"e": {"dataset": "d"}}}
    config["experiments"]["e"]["normals"] = ["one-of-3+5"]
    assert normals(config, "e") == ["one-of-3+5"]
    config["experiments"]["e"]["normals"] = asked
    with pytest.raises(ValueError, match=words):
        normals(config, "e")


def test_openness():
    assert openness(10, 0) == 0
    assert openness(6, 4) == pytest.approx(1 - np.sqrt(12 / 16))  # MNIST: 13.4 %
    assert openness(4, 50) == pytest.approx(1 - np.sqrt(8 / 58))  # CIFAR+50: 62.9 %


# ---- what is measured ----

# known classes a and b, four images each; four unknown ones
CLASS = np.array(list("aaaabbbbuuvv"))
SAID = np.array(list("aaabbbbaabab"))
SCORE = np.array([0, 1, 2, 3, 0, 1, 2, 9, 1, 5, 6, 7.0])
ANOMALY = np.isin(CLASS, ["u", "v"])
ASKED = {"classes": CLASS, "predicted": SAID}


def test_open_set_metrics_by_hand():
    assert metric("base_rate")(SCORE, ANOMALY) == pytest.approx(4 / 12)
    assert metric("closed_accuracy")(SCORE, ANOMALY, **ASKED) == pytest.approx(6 / 8)
    # 7 of 8 known images have at most 3: one b and three unknown ones are rejected
    found = answered(SCORE, ANOMALY, CLASS, SAID, 0.85)
    assert "".join(found.said) == "aaabbbba"[:7] + "a"
    assert (found.said == UNKNOWN).sum() == 4
    tp, fp, fn = found.counts()
    assert (tp.tolist(), fp.tolist(), fn.tolist()) == ([3, 3], [1, 1], [1, 1])
    share = {"accepted": 0.85}
    assert metric("open_accuracy", **share)(SCORE, ANOMALY, **ASKED) == pytest.approx(9 / 12)
    normalised = metric("normalised_accuracy", **share)(SCORE, ANOMALY, **ASKED)
    assert normalised == pytest.approx(0.5 * 6 / 8 + 0.5 * 3 / 4)
    known_alone = metric("normalised_accuracy", share=1.0, **share)(SCORE, ANOMALY, **ASKED)
    assert known_alone == pytest.approx(6 / 8)
    assert metric("micro_f", **share)(SCORE, ANOMALY, **ASKED) == pytest.approx(6 / 8)
    assert metric("macro_f", **share)(SCORE, ANOMALY, **ASKED) == pytest.approx(6 / 8)


@pytest.mark.parametrize("seed", range(4))
def test_as_in_scikit_learn(seed):
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

    rng = np.random.default_rng(seed)
    classes = rng.choice(list("abcuv"), 300, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    anomaly = np.isin(classes, ["u", "v"])
    predicted = np.where(rng.random(300) < 0.7, classes, rng.choice(list("abc"), 300))
    predicted = np.where(np.isin(predicted, ["u", "v"]), "a", predicted)
    score, asked = rng.normal(size=300) + anomaly, {"classes": classes, "predicted": predicted}
    right, said = answered(score, anomaly, classes, predicted, 0.9)
    accepted = (said != UNKNOWN)[~anomaly].mean()
    assert 0.9 <= accepted < 0.91
    over = {"labels": list("abc"), "zero_division": 0}
    ours = metric("micro_f", accepted=0.9)(score, anomaly, **asked)
    assert ours == pytest.approx(f1_score(right, said, average="micro", **over))
    p, r = (f(right, said, average="macro", **over) for f in (precision_score, recall_score))
    ours = metric("macro_f", accepted=0.9)(score, anomaly, **asked)
    assert ours == pytest.approx(2 * p * r / (p + r))
    ours = metric("open_accuracy", accepted=0.9)(score, anomaly, **asked)
    assert ours == pytest.approx(accuracy_score(right, said))


def test_a_metric_of_answers_is_left_out_where_a_method_says_none():
    about = {"dataset": "toy", "normal": "one-of-a+b", "images": "test", "seed": 0}
    runs = [about | {"method": "says"}, about | {"method": "silent"}]
    table = pd.DataFrame({"class": CLASS, "is_anomaly": ANOMALY, "score": SCORE})
    tables = [table.assign(predicted=SAID), table]
    metrics = {kind: metric(kind) for kind in ("auroc", "closed_accuracy", "base_rate")}
    found = evaluate(runs, tables, metrics).query("anomaly == 'rest'")
    assert list(found["metric"][found["method"] == "says"]) == list(metrics)
    assert list(found["metric"][found["method"] == "silent"]) == ["auroc", "base_rate"]


def test_the_table_of_an_open_set():
    rows = []
    for normal, value in [("one-of-a+b", 0.9), ("one-of-a+c", 0.7)]:
        about = ("toy", normal, "m", "test", 0)
        rows += [(*about, "auroc", anomaly, value) for anomaly in ("rest", "x", "y")]
        rows.append((*about, "closed_accuracy", "rest", 0.8))
    columns = ["dataset", "normal", "method", "test", "seed", "metric", "anomaly", "value"]
    data = {"metrics": pd.DataFrame(rows, columns=columns)}
    table = plugins.build("tables_figures", {"kind": "open_set"})(data)
    row = table.iloc[0].to_dict()
    expected = {"known": "2", "unknown": "2", "openness": "18.4", "trials": "2"}
    assert expected.items() <= row.items()
    assert row["AUROC"] == "80.0 ± 14.1"
    assert row["closed-set accuracy"] == "80.0 ± 0.0"


# ---- what is mixed into a normal set ----


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_a_contaminated_class_holds_that_share_of_others(share):
    label = np.repeat([0, 1, 2, 3], [100, 90, 80, 100])
    found = mixed(label, share)
    assert (np.bincount(found) == np.bincount(label)).all()
    for c, n in enumerate([100, 90, 80, 100]):
        assert (label[found == c] != c).sum() == round(share * n)
    assert (mixed(label, share) == found).all()
    moved = label[found != label]
    assert len(np.unique(moved[found[found != label] == 0])) > 1  # of several other classes


def test_a_contaminated_set_keeps_its_images_and_its_test_split():
    splits = {"train": images(400), "test": images(80)}
    found, _ = select(splits, CLASSES, contaminated=0.1)
    assert (found["train"].pixels == splits["train"].pixels).all()
    changed = found["train"].labels != splits["train"].labels
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert (found["test"].labels == splits["test"].labels).all()
    with pytest.raises(ValueError, match="choose a smaller share"):
        mixed(np.repeat([0, 1], [90, 10]), 0.5)


def test_so_many_test_images_of_all_classes_together():
    splits = {"train": images(50), "test": images(400)}
    found, _ = select(splits, CLASSES, tested=100)
    assert len(found["test"]) == 100
    assert len(found["train"]) == 50
    assert len(np.unique(found["test"].labels)) == 4
    some, _ = select(splits, CLASSES, only=["dog"], tested=10)
    assert all(name.startswith("dog/") for name in some["test"].ids)
    assert len(some["test"]) == 10
    assert len(select(splits, CLASSES, tested=999)[0]["test"]) == 400
