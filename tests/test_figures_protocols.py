"""Tables and figures of the protocols: corrupted test sets, exposure, fakes as test sets."""

import numpy as np
import pandas as pd
import pytest
from synthetic import experiment

from nearnd import plugins
from nearnd.files.arrays import save_array
from nearnd.report import reads, summary


@pytest.fixture(scope="module")
def data() -> dict:
    return experiment(classes=4, methods=3, seeds=2)


def draw(kind: str, data: dict, **arguments):
    return plugins.build("tables_figures", {"kind": kind, **arguments})(data)


def corrupted(data: dict) -> dict:
    """The experiment with tests [own, shapes_c.test], all AUROCs of the copy half as high."""
    metrics = data["metrics"]
    copy = metrics.assign(test="shapes_c.test", value=metrics["value"] / 2)
    return {**data, "metrics": pd.concat([metrics, copy])}


def test_a_corrupted_copy_is_neither_the_far_nor_the_near_test_set(data):
    """per_class once took bottom-1 from the last test set, whatever it was."""
    both = corrupted(data)
    assert draw("per_class", both).equals(draw("per_class", data))
    line = draw("bottom_i", both).axes[0].get_lines()[0].get_ydata()
    assert line[0] == pytest.approx(draw("bottom_i", data).axes[0].get_lines()[0].get_ydata()[0])
    # asked for by name it is drawn
    asked = draw("per_class", both, far="shapes_c.test", near="shapes_c.test")
    assert not asked.equals(draw("per_class", data))
    # and where there is nothing else too
    alone = {**data, "metrics": both["metrics"].query("test == 'shapes_c.test'")}
    assert draw("per_class", alone).equals(asked)


def test_another_datasets_test_set_is_still_the_near_one(data):
    metrics = data["metrics"]
    other = metrics.assign(test="other.test", value=metrics["value"] / 2)
    both = {**data, "metrics": pd.concat([metrics, other])}
    near = 100 * summary.bottom(other).query("method == 'method0'")["value"].mean()
    assert draw("per_class", both).loc[1, "mean"].startswith(f"{near:.1f}")


def test_corruptions_table_has_cells_and_both_means(data):
    table = draw("corruptions", data)
    assert list(table) == ["method", "corruption", "1", "2", "3", "4", "5", "mean", "runs"]
    assert list(table["corruption"]) == ["fog", "snow", "mean"] * 3
    # 0.95 - 0.05 severity, the seeds 0.01 apart
    assert table.loc[0, "4"] == "74.5 ± 0.7"
    assert table.loc[0, "mean"] == "79.5 ± 0.7"
    assert table.loc[2, "1"] == "91.5 ± 0.7"  # of 90 and 94, less half a point
    assert table.loc[2, "mean"] == "85.5 ± 0.7"
    assert list(draw("corruptions", data, methods=["method2"])["method"]) == ["Method 2"] * 3
    with pytest.raises(ValueError, match=r"method \['nobody'\] has no slices here"):
        draw("corruptions", data, methods=["nobody"])
    with pytest.raises(ValueError, match="no test set of this experiment is a corrupted copy"):
        draw("corruptions", {**data, "slices": data["slices"].iloc[:0]})


def test_auroc_against_severity_begins_at_the_clean_images(data):
    own = data["metrics"].assign(test="test")
    axes = draw("auroc_vs_severity", {**data, "metrics": own}).axes
    assert [ax.get_title() for ax in axes if ax.get_visible()] == ["mean", "fog", "snow"]
    mean, fog, _ = (ax.get_lines()[0] for ax in axes[:3])
    clean = 100 * summary.one_vs_rest(own).query("method == 'method0'")["value"].mean()
    for line in (mean, fog):
        assert list(line.get_xdata()) == [0, 1, 2, 3, 4, 5]
        assert line.get_ydata()[0] == pytest.approx(clean)
    assert np.diff(fog.get_ydata()[1:]) == pytest.approx([-5.0] * 4)
    assert np.diff(mean.get_ydata()[1:]) == pytest.approx([-3.0] * 4)


def test_auroc_stands_over_the_number_of_each_method(data):
    axes = draw("auroc_vs_value", data, values={"method2": 10, "method1": 300},
                what="outliers", reference="method0").axes[0]  # fmt: skip
    far = axes.containers[0].lines[0]
    assert list(far.get_xdata()) == [10, 300]
    means = summary.one_vs_rest(data["metrics"]).groupby("method")["value"].mean()
    assert list(far.get_ydata()) == pytest.approx([100 * means["method2"], 100 * means["method1"]])
    assert axes.get_xlabel() == "outliers"
    assert axes.get_xscale() == "log"
    with pytest.raises(ValueError, match=r"methods \['nobody'\] are not in this experiment"):
        draw("auroc_vs_value", data, values={"nobody": 1})


def test_overlap_says_where_a_test_set_was_trained_on(data):
    table = draw("overlap", data)
    assert list(table["among the fakes"]) == [0, 7, 14]
    assert list(table["disjoint"]) == ["yes", "no", "no"]
    nothing = draw("overlap", {**data, "overlap": pd.DataFrame()})
    assert nothing.empty
    assert "disjoint" in nothing


def test_test_images_among_the_fakes_are_counted_in_the_files(tmp_path):
    rng = np.random.default_rng(0)
    fakes = rng.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    fresh = rng.integers(0, 256, (10, 8, 8, 3)).astype(np.uint8)
    save_array(tmp_path / "fakes.npy", fakes)
    save_array(tmp_path / "leak.npy", np.concatenate([fresh, fakes[5:9]]))
    save_array(tmp_path / "fresh.npy", fresh)
    sources = [
        {"dataset": "d", "normal": "a", "method": "m", "images": f"{name}.test", "seed": 0,
         "fakes": "f", "file": {"fakes": str(tmp_path / "fakes.npy"),
                                "images": str(tmp_path / f"{name}.npy")}}
        for name in ("leak", "fresh")
    ]  # fmt: skip
    data = {"overlap": reads.READS["overlap"].load(sources), "labels": {"m": "Method"}}
    table = draw("overlap", data).set_index("test")
    assert table.loc["leak.test", ["images", "among the fakes", "disjoint"]].tolist() == [
        14,
        4,
        "no",
    ]
    assert table.loc["fresh.test", "disjoint"] == "yes"


def test_the_closest_class_stands_beside_the_published_one(data):
    """In the made-up experiment class c + 1 is the nearest to class c."""
    near = {**data, "closeness": data["closeness"].assign(test="other.test")}
    theirs = {"class 0": "class 1", "class 1": "class 4"}
    table = draw("closest_class", near, published=theirs).set_index("normal")
    assert list(table["closest"]) == ["class 1", "class 2", "class 3", "class 4"]
    assert list(table["same"]) == ["yes", "no", "", ""]
    assert table.loc["class 0", "its rank"] == "1"
    assert table.loc["class 0", "share (%)"] == f"{100 * 3 / 6:.1f}"  # 3 : 1 : 1 : 1
    with pytest.raises(ValueError, match="needs `closeness`"):
        draw("closest_class", {**data, "closeness": None})
