"""How certain means over tasks are, and which methods the images tell apart."""

import numpy as np
import pandas as pd
import pytest
from synthetic import experiment

from nearnd.files.tables import to_latex, to_markdown
from nearnd.report import certainty, delong, paired, reads, summary
from nearnd.tables_figures import defects, methods, per_class, statistics
from nearnd.tables_figures._marks import LEGEND, MARK

FAR, WORST, CLOSEST, SAME = certainty.METRICS


@pytest.fixture(scope="module")
def data() -> dict:
    return experiment(classes=4, methods=3, seeds=3)


def nearest(data: dict) -> dict[str, str]:
    return {f"class {c}": f"class {c + 1}" for c in range(4)}


def one_vs_rest(scores: np.ndarray, labels: np.ndarray) -> paired.Paired:
    """Scores (M, C, N) of images of C classes, each normal once."""
    classes = scores.shape[1]
    group = (labels != np.arange(classes)[:, None]).astype(np.int8)
    names = [str(c) for c in range(classes)]
    return paired.Paired("d", "test", [f"m{m}" for m in range(len(scores))], names, [0], "", names,
                         scores[:, :, None], group, labels)  # fmt: skip


# ---- the same numbers as in the tables ----


@pytest.mark.parametrize("metric", [FAR, WORST, CLOSEST])
def test_means_are_those_of_the_tables(data, metric):
    found = certainty.certainty(data["paired"][0], metric, nearest(data))
    rows = summary.values(data["metrics"], data["closeness"]).query("metric == @metric")
    expected = rows.groupby(["method", "normal"])["value"].mean().unstack()
    assert list(found.normals) == list(expected)
    assert found.mean == pytest.approx(expected.to_numpy(), abs=1e-12)
    assert (found.auroc > found.mean).all()  # of three seeds together: noise is averaged out


def test_a_tie_of_mean_scores_is_none_if_the_means_of_aurocs_differ():
    """Half of the seeds of b order all pairs, the others are noise: its scores together are nearly
    as good as a's, the number in the table is not."""
    rng = np.random.default_rng(0)
    y = np.arange(200) >= 100
    a = np.stack([y + 0.3 * rng.normal(size=200)] * 2)
    b = np.stack([10 * a[0], rng.normal(size=200)])
    sets = paired.Paired("d", "test", ["a", "b"], ["0"], [0, 1], "", ["0", "1"],
                         np.stack([a, b]).astype(np.float32)[:, None],
                         y[None].astype(np.int8), y.astype(np.int32))  # fmt: skip
    found = certainty.certainty(sets)
    assert certainty.below(found, "a", averaged="scores")["b"][1] > 0.05
    assert certainty.below(found, "a", averaged="aurocs")["b"][1] < 1e-6
    assert certainty.ties(found, "a") == {"a": True, "b": False}
    assert certainty.ties(found, "b") == {"a": True, "b": True}


def test_one_seed_is_its_own_mean():
    found = certainty.certainty(experiment(3, 2, 1)["paired"][0])
    assert (found.auroc == found.mean).all()
    assert (found.parts == found.mean_parts).all()


def test_scores_of_seeds_are_averaged_as_they_are():
    """0.1 apart at 1e6, and the other seed says nothing: the order is that of the first."""
    scores = np.array([[[1e6 + 0.5, 1e6, 1e6 + 1.0, 1e6 + 1.5], [5, 5, 5, 5]]], np.float32)
    sets = paired.Paired("d", "test", ["m"], ["0"], [0, 1], "", ["0", "1"], scores[:, None][:, 0:1],
                         np.array([[0, 0, 1, 1]], np.int8), np.array([0, 0, 1, 1]))  # fmt: skip
    found = certainty.certainty(sets)
    assert found.auroc == 1
    assert found.mean == 0.75


def test_a_single_task_is_delongs(data):
    one = data["paired"][0]
    found = certainty.certainty(one)
    together = one.scores[:, 2].mean(1, dtype=float)
    auroc, parts = delong.components(together, one.group[2] == paired.ANOMALY)
    assert found.auroc[:, 2] == pytest.approx(auroc, abs=1e-15)
    assert found.parts[:, 2] == pytest.approx(parts, abs=1e-15)
    difference, p = delong.against(auroc, parts, 2)
    tested = certainty.below(found, "method2", normals=["class 2"])
    for i, method in enumerate(["method0", "method1"]):
        assert tested[method] == pytest.approx((difference[i], p[i]), abs=1e-12)


def test_an_image_counts_where_it_belongs(data):
    one = data["paired"][0]
    found = certainty.certainty(one, CLOSEST, nearest(data))
    used = found.parts[0] != 0
    for c in range(4):
        assert set(one.classes[used[c]]) == {c, c + 1}
    assert (found.sizes == 40).all()
    assert (certainty.certainty(one).sizes[:, :, 1] == 160).all()
    assert certainty.certainty(one, SAME).normals == []  # no anomaly is called like its normal


# ---- tasks that share their images ----


def simulated(rng, n=40, classes=5, noise=0.6, methods=2, spread=2.0):
    """One test set: each method's score of an image in a task is its distance from the class in a
    plane, with the same error in all methods and noise of each one's own."""
    labels = np.repeat(np.arange(classes), n)
    angles = 2 * np.pi * np.arange(classes) / classes
    centres = spread * np.stack([np.cos(angles), np.sin(angles)], 1)
    x = centres[labels] + rng.normal(size=(len(labels), 2))
    distances = np.linalg.norm(x - centres[:, None], axis=2)  # (C, N)
    return distances + noise * rng.normal(size=(methods, *distances.shape)), labels


def test_the_error_of_a_mean_over_tasks_is_that_of_other_images():
    """500 test sets of two classes, each normal once: the deviation of the mean AUROC is what each
    of them says it is. Two tasks on the same images are not two independent ones."""
    rng = np.random.default_rng(0)
    means, errors, apart = [], [], []
    for _ in range(500):
        scores, labels = simulated(rng, classes=2, noise=0.1, methods=1, spread=0.6)
        found = certainty.certainty(one_vs_rest(scores, labels))
        means.append(found.mean.mean())
        errors.append(np.linalg.norm(found.parts.mean(1)))
        apart.append(np.linalg.norm(found.parts) / 2)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(means), rel=0.08)
    assert np.mean(apart) > 1.2 * np.std(means)


def rejected(metric: str, simulations: int = 2000) -> float:
    """How often two equal methods are told apart at 5 %; all test sets at once, as if methods."""
    rng = np.random.default_rng(5)
    pairs = [simulated(rng) for _ in range(simulations)]
    sets = one_vs_rest(np.concatenate([scores for scores, _ in pairs]), pairs[0][1])
    found = certainty.certainty(sets, metric, {str(c): str((c + 1) % 5) for c in range(5)})
    auroc, parts = found.auroc.mean(1), found.parts.mean(1)
    p = delong.p_value(auroc[::2] - auroc[1::2], np.linalg.norm(parts[::2] - parts[1::2], axis=1))
    return np.mean(p < 0.05)


@pytest.mark.parametrize("metric", [FAR, CLOSEST])
def test_equal_methods_are_told_apart_by_their_means_in_five_percent(metric):
    assert rejected(metric) == pytest.approx(0.05, abs=0.01)


def test_equal_methods_are_seldom_told_apart_by_their_worst_classes():
    """Which class is worst is taken as given, so the test is not exact."""
    assert 0.01 < rejected(WORST) < 0.06


def test_intervals_hold_the_truth():
    rng = np.random.default_rng(6)
    scores, labels = simulated(rng, n=4000, methods=1)
    truth = certainty.certainty(one_vs_rest(scores, labels)).mean.mean()
    inside = 0
    for _ in range(400):
        found = certainty.certainty(one_vs_rest(*simulated(rng, methods=1)))
        low, high = certainty.interval(found, "m0")
        inside += low < truth < high
    assert inside / 400 == pytest.approx(0.95, abs=0.025)


def test_an_interval_has_a_width_where_delong_sees_none():
    scores = np.array([[[0, 1, 5, 6, 7], [9, 8, 0, 1, 2]]], float)
    found = certainty.certainty(one_vs_rest(scores, np.array([0, 0, 1, 1, 1])))
    assert found.mean.mean() == 1
    low, high = certainty.interval(found, "m0")
    assert low < 0.7
    assert high == 1


# ---- collecting ----


def run(method="m", normal="a", images="test", seed=0):
    return {"dataset": "d", "normal": normal, "method": method, "images": images, "seed": seed}


def table(scores, anomaly, ids="pqrs", classes="aabb"):
    return pd.DataFrame({"id": list(ids), "class": list(classes), "is_anomaly": anomaly,
                         "score": scores})  # fmt: skip


def test_another_datasets_images_meet_the_own_normal_ones():
    own = table([1, 2, 3, 4], [False, False, True, True])
    turned = table([1, 2, 3, 4], [True, True, False, False])
    other = table([1.5, 9, 9, 9], [True] * 4, "wxyz", "cccc")
    runs = [run(normal=n, images=i) for n in "ab" for i in ("test", "other.test")]
    first, second = paired.collect(runs, [own, other, turned, other])
    assert first.scores.shape == (1, 2, 1, 4)
    assert second.scores.shape == (1, 2, 1, 8)
    assert second.group.tolist() == [[1] * 4 + [0, 0, -1, -1], [1] * 4 + [-1, -1, 0, 0]]
    assert certainty.certainty(second).mean.tolist() == [[7 / 8, 6 / 8]]
    copies = paired.collect(runs, [own, other, turned, other], ["other.test"])
    assert [each.test for each in copies] == ["test"]


def test_scores_of_other_images_are_refused():
    own = table([1, 2, 3, 4], [False, False, True, True])
    other = table([1, 2, 3, 4], [False, False, True, True], "pqsr")
    with pytest.raises(ValueError, match="d/a/n/test/seed0: the scores are not of the same images"):
        paired.collect([run(), run("n")], [own, other])


def test_what_is_written_is_read_again(tmp_path, data):
    paired.save(tmp_path / "x.safetensors", data["paired"])
    (found,) = paired.load(tmp_path / "x.safetensors")
    for ours, theirs in zip(found, data["paired"][0], strict=True):
        assert np.array_equal(ours, theirs)
    assert found.scores.dtype == np.float32
    # nine digits in a score table give float32 back, so an order of the last digit stays
    assert np.array_equal(found.scores[1, 2, 0], data["scores"].query(
        "method == 'method1' and normal == 'class 2' and seed == 0")["score"])  # fmt: skip


def test_experiments_on_the_same_images_are_compared(data):
    one = data["paired"][0]
    parts = [one.methods_at([0, 1], ["m", "n"]), one.methods_at([1, 2], ["n", "o"])]
    (both,) = paired.united(parts)
    assert both.methods == ["m", "n", "o"]
    assert np.array_equal(both.scores, one.scores)
    assert len(paired.united([*parts, one._replace(images="others")])) == 2
    called = reads._renamed([one], {"method0": "row", "method1": "row"})
    assert called[0].methods == ["row", "method2"]
    assert np.array_equal(called[0].scores, one.scores[[0, 2]])


# ---- in tables ----


def equal(data: dict, a: str, b: str) -> dict:
    """The data with method b the same as a in all but its name."""
    one = data["paired"][0]
    i, j = one.methods.index(a), one.methods.index(b)
    scores = one.scores.copy()
    scores[j] = scores[i]
    metrics = data["metrics"]
    same = metrics[metrics["method"] == a].assign(method=b)
    order = list(one.methods)
    found = pd.concat([metrics[metrics["method"] != b], same])
    found = found.sort_values("method", key=lambda m: m.map(order.index), kind="stable")
    return data | {"metrics": found, "paired": [one._replace(scores=scores)]}


def test_the_best_and_what_ties_with_it_is_marked(data):
    found = methods.build()(data)
    far = list(found["far (one-vs-rest)"])
    assert [MARK in text for text in far] == [False, True, True]  # 1.4 points are within reach
    twins = methods.build()(equal(data, "method0", "method1"))
    far = list(twins["far (one-vs-rest)"])
    assert [MARK in text for text in far] == [False, False, True]
    twins = methods.build()(equal(data, "method2", "method0"))
    far = list(twins["far (one-vs-rest)"])
    assert [MARK in text for text in far] == [True, True, True]
    assert far[0] == far[2]
    assert found.attrs["legend"] == LEGEND
    for text in (to_markdown(found, "A note."), to_latex(found, "A note.")):
        assert "A note." in text
        assert "the best of those it is compared with" in text
    assert r"$\bullet$" in to_latex(found)
    alone = methods.build(methods=["method1"])(data)
    assert MARK not in alone.to_string()
    assert "legend" not in alone.attrs
    assert MARK not in methods.build()(data | {"paired": []}).to_string()


def test_marks_are_of_each_column(data):
    found = per_class.build()(data).set_index(["method", "setting"])
    one = data["paired"][0]
    for c in range(4):
        certain = certainty.certainty(one)
        best = one.methods[certain.mean[:, c].argmax()]
        told = certainty.ties(certain, best, normals=[f"class {c}"])
        texts = found[f"class {c}"].xs("far (one-vs-rest)", level="setting")
        assert [MARK in text for text in texts] == list(told.values())
    assert any(MARK in text for text in found["mean"])


def test_intervals_stand_in_brackets_where_they_are_asked_for(data):
    found = per_class.build(interval=True)(data)
    certain = certainty.certainty(data["paired"][0])
    low, high = certainty.interval(certain, "method0", ["class 1"])
    assert f"({100 * low:.1f} to {100 * high:.1f})" in found.loc[0, "class 1"]
    low, high = certainty.interval(certain, "method0")
    assert f"({100 * low:.1f} to {100 * high:.1f})" in found.loc[0, "mean"]
    assert " to " not in per_class.build()(data).to_string()


def test_the_table_of_statistics(data):
    found = statistics.build()(equal(data, "method2", "method1"))
    far = found[found["setting"] == "far (one-vs-rest)"].set_index("method")
    assert (far["runs"] == 3).all()
    assert far.loc["Method 1", ["below the best", "p"]].tolist() == ["", ""]  # the first of two
    assert far.loc["Method 2", ["below the best", "p"]].tolist() == ["0.0", "1"]
    assert far.loc["Method 0", "p"] == "< 0.001"
    means = summary.one_vs_rest(data["metrics"]).groupby("method")["value"].mean()
    difference = 100 * (means["method2"] - means["method0"])
    assert far.loc["Method 0", "below the best"] == f"{difference:.1f}"
    certain = certainty.certainty(data["paired"][0])
    p = certainty.below(certain, "method2", ["method0", "method2"])["method0"][1]
    p = delong.holm([p, 1.0])[0]  # of two tests, one of them of the best's twin
    assert far.loc["Method 0", "p of mean scores"] in (f"{p:.2g}", "< 0.001")
    assert "p of mean scores" not in statistics.build()(experiment(2, 2, 1))
    low, high = certainty.interval(certain, "method0")
    assert far.loc["Method 0", "95 % interval"] == f"{100 * low:.1f} to {100 * high:.1f}"
    assert MARK in far.loc["Method 2", "AUROC (%)"]
    without = statistics.build()(data | {"paired": []})
    assert (without[["95 % interval", "below the best", "p"]] == "").all(axis=None)


def test_kinds_of_anomaly_are_marked_by_row(data):
    found = defects.build()(equal(data, "method2", "method1"))
    whole = found[found["anomaly"] == "all anomalies"]
    for row in whole[["Method 0", "Method 1", "Method 2"]].itertuples(index=False):
        assert [MARK in text for text in row] == [False, True, True]


def test_the_summary_has_the_intervals(data):
    found = summary.summary(data["metrics"], data["closeness"], None, data["paired"])
    one = data["paired"][0]
    for metric in (FAR, WORST, CLOSEST):
        certain = certainty.certainty(one, metric, nearest(data))
        for row in found[found["metric"] == metric].itertuples():
            assert (row.low, row.high) == certainty.interval(certain, row.method)
            assert row.low < row.mean < row.high
    assert found.loc[found["metric"] == "fpr95", ["low", "high"]].isna().all(axis=None)
    assert summary.summary(data["metrics"])["low"].isna().all()
