"""The long table of metrics, worked by hand."""

import pandas as pd

from nearnd import plugins
from nearnd.evaluate import evaluate

METRICS = {"auroc": plugins.build("metrics", {"kind": "auroc"}),
           "fpr95": plugins.build("metrics", {"kind": "fpr95"})}  # fmt: skip


def run(images="test", normal="a"):
    return {"dataset": "toy", "normal": normal, "method": "m", "images": images, "seed": 0}


def table(rows):
    return pd.DataFrame(rows, columns=["class", "is_anomaly", "score"])


OWN = table([("a", False, 1.0), ("a", False, 3.0), ("b", True, 2.0), ("c", True, 4.0)])


def auroc(found, test, anomaly):
    rows = found.query("metric == 'auroc' and test == @test and anomaly == @anomaly")
    return rows["value"].item()


def test_against_the_rest_and_against_each_class():
    found = evaluate([run()], [OWN], METRICS)
    assert auroc(found, "test", "b") == 0.5  # 2 is above 1 and below 3
    assert auroc(found, "test", "c") == 1.0
    assert auroc(found, "test", "rest") == 0.75
    assert set(found.query("metric == 'fpr95'")["anomaly"]) == {"rest"}


def test_another_datasets_images_meet_the_normals_of_the_own_test_split():
    other = table([("x", True, 2.0), ("x", True, 0.0)])
    found = evaluate([run(), run("other.test")], [OWN, other], METRICS)
    assert auroc(found, "other.test", "x") == 0.25  # of four pairs only 2 > 1
    sizes = found.query("test == 'other.test'")[["n_normal", "n_anomaly"]]
    assert (sizes == [2, 2]).all(axis=None)


def test_a_set_without_anomalies_gives_no_rows():
    found = evaluate([run()], [OWN[~OWN["is_anomaly"]]], METRICS)
    assert found.empty
    assert "value" in found
