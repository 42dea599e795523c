"""The summary of an experiment, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from nearnd.commands.show import show
from nearnd.report import summary

# normal, seed -> AUROC against rest, x, y, z
VALUES = {
    ("a", 0): (0.90, 0.70, 0.80, 0.95),
    ("b", 0): (0.80, 0.60, 0.50, 0.90),
    ("a", 1): (0.94, 0.74, 0.72, 0.97),
    ("b", 1): (0.88, 0.62, 0.60, 0.92),
}
CLOSENESS = pd.DataFrame(
    [("d", "a", "x", 0.6), ("d", "a", "y", 0.3), ("d", "a", "z", 0.1),
     ("d", "b", "x", 0.5), ("d", "b", "y", 0.4), ("d", "b", "z", 0.1)],
    columns=["dataset", "normal", "anomaly", "closeness"],
)  # fmt: skip


@pytest.fixture
def metrics() -> pd.DataFrame:
    rows = []
    for (normal, seed), values in VALUES.items():
        run = ("d", normal, "m", "own", seed)
        pairs = zip(("rest", "x", "y", "z"), values, strict=True)
        rows += [(*run, "auroc", anomaly, value) for anomaly, value in pairs]
        rows.append((*run, "fpr95", "rest", 0.25))
    table = pd.DataFrame(rows, columns=[*summary.RUN, "metric", "anomaly", "value"])
    return table.assign(n_normal=36, n_anomaly=[20 if n == "a" else 90 for n in table["normal"]])


def row(table: pd.DataFrame, metric: str) -> pd.Series:
    return table.set_index("metric").loc[metric]


def test_summary_by_hand(metrics):
    table = summary.summary(metrics, CLOSENESS)
    assert set(table["images"]) == {20}
    expected = ["auroc_one_vs_rest", "auroc_bottom1", "auroc_clp", "fpr95"]
    assert list(table["metric"]) == expected
    assert (table["runs"] == 2).all()

    far = row(table, "auroc_one_vs_rest")  # seed means 0.85, 0.91; class means 0.92, 0.84
    assert far["mean"] == pytest.approx(0.88)
    assert far["sd"] == pytest.approx(0.06 / np.sqrt(2))
    assert far["sd_classes"] == pytest.approx(0.08 / np.sqrt(2))

    worst = row(table, "auroc_bottom1")  # a: x .70, y .72; b: y .50, y .60
    assert worst["mean"] == pytest.approx((0.60 + 0.66) / 2)
    assert worst["sd"] == pytest.approx(0.06 / np.sqrt(2))

    closest = row(table, "auroc_clp")  # always x: .70 .60 | .74 .62
    assert closest["mean"] == pytest.approx((0.65 + 0.68) / 2)
    assert closest["sd_classes"] == pytest.approx((0.72 - 0.61) / np.sqrt(2))

    assert row(table, "fpr95")["mean"] == 0.25


def test_one_seed_has_no_spread(metrics):
    table = summary.summary(metrics[metrics["seed"] == 0], CLOSENESS)
    assert table["sd"].isna().all()
    assert (table["runs"] == 1).all()
    one_class = summary.summary(metrics[metrics["normal"] == "a"], CLOSENESS)
    assert one_class["sd_classes"].isna().all()


def test_bottom_i_by_hand(metrics):
    values = summary.bottom(metrics, 2).set_index(["normal", "seed"])["value"]
    assert values["a", 0] == pytest.approx((0.70 + 0.80) / 2)
    assert values["b", 1] == pytest.approx((0.60 + 0.62) / 2)
    worst = summary.bottom(metrics, 1).set_index(["normal", "seed"])["anomaly"]
    assert worst.to_dict() == {("a", 0): "x", ("a", 1): "y", ("b", 0): "y", ("b", 1): "y"}


def test_bottom_i_grows_to_the_mean_over_all_classes(metrics):
    curve = summary.bottom_curve(metrics)
    for (normal, seed), run in curve.groupby(["normal", "seed"]):
        assert (np.diff(run["value"]) >= 0).all()
        assert run["value"].iloc[-1] == pytest.approx(np.mean(VALUES[normal, seed][1:]))
    for i in (0, 4):
        with pytest.raises(ValueError, match=f"i is {i}; with 3 anomaly classes"):
            summary.bottom(metrics, i)


def test_the_closest_class_is_never_below_the_worst(metrics):
    both = summary.clp(metrics, CLOSENESS).merge(summary.bottom(metrics), on=summary.RUN)
    assert len(both) == 4
    assert (both["value_x"] >= both["value_y"]).all()


def test_the_closest_class_is_sought_among_those_of_the_test_set(metrics):
    closeness = pd.concat([CLOSENESS, pd.DataFrame(
        [("d", "a", "elsewhere", 9.0), ("other", "a", "z", 9.0)], columns=CLOSENESS.columns
    )])  # fmt: skip
    near = summary.nearest(metrics, closeness).set_index("normal")["anomaly"]
    assert near.to_dict() == {"a": "x", "b": "x"}


def test_methods_keep_the_order_of_the_experiment(metrics):
    both = pd.concat([metrics.assign(method="z"), metrics.assign(method="a")])
    assert list(summary.summary(both, CLOSENESS)["method"]) == ["z"] * 4 + ["a"] * 4


def test_far_metrics_alone_make_a_summary(metrics):
    far = metrics[metrics["anomaly"] == "rest"]
    assert list(summary.summary(far)["metric"]) == ["auroc_one_vs_rest", "fpr95"]


def test_seeds_on_different_classes_are_not_averaged(metrics):
    hole = metrics[(metrics["seed"] == 0) | (metrics["normal"] == "a")]
    with pytest.raises(ValueError, match="different numbers of classes"):
        summary.summary(hole, CLOSENESS)


def test_slices_are_averaged_not_pooled(metrics):
    cells = {("fog", 1): 0.9, ("fog", 2): 0.7, ("snow", 1): 0.6, ("snow", 2): 0.4}
    slices = pd.DataFrame(
        [("d", normal, "m", "d_c.test", seed, *cell, "auroc", value + 0.1 * (normal == "a"))
         for normal in "ab" for seed in (0, 1) for cell, value in cells.items()],
        columns=[*summary.RUN, "corruption", "severity", "metric", "value"],
    )  # fmt: skip
    table = summary.summary(metrics, CLOSENESS, slices).set_index(["test", "metric"])["mean"]
    auroc = table.xs("auroc_one_vs_rest", level="metric")
    expected = {"fog/1": 0.95, "snow/2": 0.45, "fog": 0.85, "snow": 0.55, "1": 0.8, "2": 0.6,
                "mean": 0.7}  # fmt: skip
    for name, value in expected.items():
        assert auroc[f"d_c.test/{name}"] == pytest.approx(value)
    assert auroc["own"] == pytest.approx(0.88)  # as without slices
    empty = summary.summary(metrics, CLOSENESS, slices.iloc[:0])
    assert empty.equals(summary.summary(metrics, CLOSENESS))


def test_fakes_of_the_normal_class_are_a_number_of_their_own(metrics):
    """CIFAR-10-FSDE: the anomalies of class a are the fakes of class a, not those of b."""
    fakes = metrics.assign(
        test="fsde.test", anomaly=metrics["anomaly"].replace({"x": "a", "y": "b"})
    )
    table = summary.summary(pd.concat([metrics, fakes]))
    same = table[table["metric"] == "auroc_same_class"]
    assert list(same["test"]) == ["fsde.test"]
    # a against a: .70, .74; b against b: .50, .60
    assert same["mean"].item() == pytest.approx((0.60 + 0.67) / 2)


def test_a_group_is_the_mean_over_its_datasets(metrics):
    other = metrics.assign(dataset="e", value=metrics["value"] / 2)
    members = [summary.grouped(part, "both") for part in (metrics, other)]
    whole = row(summary.summary(pd.concat(members)), "auroc_one_vs_rest")
    assert whole["dataset"] == "both"
    assert whole["mean"] == pytest.approx((0.88 + 0.44) / 2)


def test_the_header_of_fpr95_says_what_is_positive(tmp_path):
    (tmp_path / "results" / "tables").mkdir(parents=True)
    names = {"dataset": "d", "method": "m", "test": "test", "metric": ["auroc", "fpr95"]}
    table = pd.DataFrame(names | {"mean": [0.9, 0.2], "sd": [0.1, 0.1], "runs": 2, "images": 36})
    table.to_csv(tmp_path / "results" / "tables" / "summary.csv", index=False)
    assert "| auroc" in show(tmp_path)
    assert "| fpr95 (positive: normal) " in show(tmp_path)
