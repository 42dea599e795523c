"""Figures that only papers have: what they show is what the data say."""

import numpy as np
import pandas as pd
import pytest
from synthetic import experiment, united

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.files import arrays, tables
from nearnd.jobs.tsne import laid_out
from nearnd.report import reads, summary
from nearnd.tables_figures import _toy_network


@pytest.fixture(scope="module")
def data() -> dict:
    return experiment(classes=4, methods=3, seeds=2)


def draw(kind: str, data: dict, **arguments):
    return plugins.build("tables_figures", {"kind": kind, **arguments})(data)


def far(data: dict, **where) -> pd.DataFrame:
    rows = summary.one_vs_rest(data["metrics"])
    return rows[np.all([rows[k] == v for k, v in where.items()], axis=0)]


# ---- AUROC against a number ----


def test_each_series_has_its_own_line_and_the_datasets_their_own_numbers(data):
    both = united(data, experiment(2, 3, 2))
    series = {"HSC": {"method0": 1, "method2": {"shapes": 26, "rings": 100}}, "BCE": {"method1": 5}}
    figure = draw("auroc_series", both, series=series, what="outliers", reference="method1")
    assert [ax.get_title() for ax in figure.axes] == ["Shapes", "Rings"]
    for ax, dataset, last in zip(figure.axes, ("shapes", "rings"), (26, 100), strict=True):
        hsc, bce = (container.lines[0] for container in ax.containers)
        assert list(hsc.get_xdata()) == [1, last]
        ends = [100 * far(both, dataset=dataset, method=m)["value"].mean() for m in
                ("method0", "method2")]  # fmt: skip
        assert list(hsc.get_ydata()) == pytest.approx(ends)
        assert list(bce.get_xdata()) == [5]
        level = 100 * far(both, dataset=dataset, method="method1")["value"].mean()
        assert ax.lines[-1].get_ydata()[0] == pytest.approx(level)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["Method 1", "HSC", "BCE"]
    with pytest.raises(ValueError, match=r"methods \['nobody'\] are not in this experiment"):
        draw("auroc_series", data, series={"a": {"nobody": 1}})


def test_by_class_each_class_has_its_panel(data):
    figure = draw("auroc_series", data, series={"a": {"method0": 1, "method1": 2}}, by="class")
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title() for ax in panels] == [f"class {c}" for c in range(4)]
    line = panels[2].containers[0].lines[0]
    ends = [100 * far(data, method=m, normal="class 2")["value"].mean() for m in
            ("method0", "method1")]  # fmt: skip
    assert list(line.get_ydata()) == pytest.approx(ends)


def test_a_grid_has_each_number_at_its_place(data):
    values = {"method0": (1, 10), "method1": (5, 10), "method2": (5, 2)}
    ax = draw("auroc_grid", data, values=values, across="K", down="L").axes[0]
    means = {m: 100 * far(data, method=m)["value"].mean() for m in values}
    picture = np.asarray(ax.images[0].get_array().filled(np.nan))
    expected = [[np.nan, means["method2"]], [means["method0"], means["method1"]]]
    assert picture == pytest.approx(np.array(expected), nan_ok=True)
    assert [t.get_text() for t in ax.texts] == [f"{means[m]:.1f}" for m in
                                                ("method2", "method0", "method1")]  # fmt: skip
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "5"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["2", "10"]
    with pytest.raises(ValueError, match=r"methods \['nobody'\] are not in this experiment"):
        draw("auroc_grid", data, values={"nobody": (1, 1)})


def test_clean_and_corrupted_stand_on_one_line(data):
    ax = draw("clean_corrupted", data).axes[0]
    clean, corrupted = (container.lines[0] for container in ax.containers)
    expected = [100 * far(data, method=f"method{m}")["value"].mean() for m in range(3)]
    assert list(clean.get_xdata()) == pytest.approx(expected)
    # 0.95 less 3 times the mean of 0.05 and 0.01, half a point of seeds, two points a method
    assert list(corrupted.get_xdata()) == pytest.approx([85.5, 83.5, 81.5])
    assert list(corrupted.get_ydata()) == [0, 1, 2]


# ---- features on a plane ----


def test_what_is_apart_in_feature_space_is_apart_on_the_plane(data):
    ax = draw("tsne", data).axes[0]
    points = {line.get_label(): np.stack(line.get_data(), 1) for line in ax.lines}
    assert list(points) == ["normal", "anomalies", "fog", "snow"]
    assert [len(p) for p in points.values()] == [20, 20, 10, 10]
    every = np.concatenate(list(points.values()))
    whose = np.repeat([0, 1, 0, 2], [20, 20, 10, 10])  # fog leaves normal images among the normal
    apart = np.linalg.norm(every[:, None] - every, axis=-1) + np.where(np.eye(60), np.inf, 0)
    assert (whose[apart.argmin(1)] == whose).mean() > 0.95
    again = draw("tsne", data).axes[0].lines[0].get_xdata()
    assert (again == points["normal"][:, 0]).all()


def test_corruptions_and_methods_of_the_plane_can_be_chosen(data):
    figure = draw("tsne", data, methods=["method1"], only=["snow"], most=5)
    assert [ax.get_title() for ax in figure.axes] == ["Method 1"]
    lines = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].lines}
    assert lines == {"normal": 5, "anomalies": 5, "snow": 5}
    with pytest.raises(ValueError, match="none of the methods"):
        draw("tsne", data, methods=["nobody"])


def test_two_points_have_a_plane_too():
    assert np.isfinite(laid_out(np.eye(5, dtype=np.float32), 2)).all()
    assert np.isfinite(laid_out(np.eye(2, dtype=np.float32), 2)).all()
    assert (laid_out(np.full((9, 4), 0.1, np.float32), 2) == 0).all()  # scikit-learn's crashes


def test_features_are_those_of_the_images_that_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reads, "POINTS", 3)
    labels = np.arange(10) % 2
    images = Images(
        np.zeros((10, 8, 8, 1), np.uint8), labels, np.array([f"i{i}" for i in range(10)])
    )
    tables.save_images(tmp_path, "test", images, ["cat", "dog"])
    features = np.arange(20, dtype=np.float32).reshape(10, 2)
    arrays.save_tensors(tmp_path / "f.safetensors", {"features": features})
    file = {"features": str(tmp_path / "f.safetensors"), "images": str(tmp_path / "test.npy")}
    source = {"dataset": "d", "normal": "dog", "method": "m", "images": "test", "seed": 0}
    (found,) = reads.READS["features"].load([source | {"file": file}])
    assert list(found["id"]) == ["i1", "i5", "i9", "i0", "i4", "i8"]
    assert list(found["is_anomaly"]) == [False] * 3 + [True] * 3
    assert list(found["features"][:, 0]) == [2, 10, 18, 0, 8, 16]
    assert found["test"] == "test"


# ---- two losses on a plane ----


@pytest.mark.parametrize("loss", ["bce", "hsc"])
def test_the_slope_is_that_of_the_loss(loss):
    rng = np.random.default_rng(0)
    output, y = rng.normal(size=(6, 1 if loss == "bce" else 3)), np.arange(6) > 2

    def value(output: np.ndarray) -> float:
        score = _toy_network._score(output, loss)
        if loss == "bce":
            return float(np.log1p(np.exp(np.where(y, -score, score))).sum())
        return float(np.where(y, -np.log(1 - np.exp(-score)), score).sum())

    slope = np.zeros_like(output)
    for place in np.ndindex(*output.shape):
        step = np.zeros_like(output)
        step[place] = 1e-6
        slope[place] = (value(output + step) - value(output - step)) / 2e-6
    assert _toy_network._slope(output, y, loss) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("loss", ["bce", "hsc"])
def test_a_trained_network_finds_outliers_like_those_it_saw(loss):
    rng = np.random.default_rng(1)
    normal, outliers = rng.normal(0, 0.5, (2, 60, 2)), rng.normal(3, 0.5, (2, 60, 2))
    score = _toy_network.train(normal[0], outliers[0], loss, 300, 0)
    assert score(normal[1]).max() < score(outliers[1]).min()
