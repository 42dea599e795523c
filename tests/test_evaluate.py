"""The long table of metrics, worked by hand."""

import pandas as pd

from nearnd import plugins
from nearnd.report.evaluate import evaluate, evaluate_slices

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


# scores of a corrupted copy of OWN; fog leaves the order alone and shifts all, snow turns it round
COPY = pd.DataFrame(
    [(f"{c}/{s}/{i}", *row)
     for c, s, scores in [("fog", 1, (1, 3, 2, 4)), ("fog", 2, (101, 103, 102, 104)),
                          ("snow", 1, (4, 2, 3, 1))]
     for i, row in enumerate(zip("aabc", (False, False, True, True), scores, strict=True))],
    columns=["id", "class", "is_anomaly", "score"],
)  # fmt: skip


def test_slices_of_a_copy_meet_the_normals_of_their_own_slice():
    runs = [run(), run("toy_c.test"), run("other.test")]
    other = table([("x", True, 2.0)]).assign(id="fog/1/0")  # an id alone makes no copy
    found = evaluate_slices(runs, [OWN, COPY, other], METRICS, ["toy_c.test"])
    assert set(found["test"]) == {"toy_c.test"}
    assert set(found["n_normal"]) == set(found["n_anomaly"]) == {2}
    areas = found[found["metric"] == "auroc"].set_index(["corruption", "severity"])["value"]
    assert areas.to_dict() == {("fog", 1): 0.75, ("fog", 2): 0.75, ("snow", 1): 0.25}


def test_slices_of_a_copy_of_another_dataset_meet_the_clean_normals():
    anomalies = COPY.assign(is_anomaly=True)
    found = evaluate_slices([run(), run("x_c.test")], [OWN, anomalies], METRICS, ["x_c.test"])
    areas = found[found["metric"] == "auroc"].set_index(["corruption", "severity"])["value"]
    assert areas["fog", 2] == 1.0  # 101 and more against 1 and 3
    assert areas["fog", 1] == areas["snow", 1] == 0.625  # 1, 2, 3, 4 against 1 and 3


def test_ids_without_corruption_and_severity_give_no_slices():
    plain = COPY.assign(id="test/0001")
    assert evaluate_slices([run(), run("c.test")], [OWN, plain], METRICS, ["c.test"]).empty
