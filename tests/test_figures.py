"""Tables and figures: what they say is what the data say, and nothing covers anything."""

import importlib
import itertools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from synthetic import MEASURES, experiment, only, united

from nearnd import plugins
from nearnd.metrics.auroc import auroc
from nearnd.report import summary
from nearnd.tables_figures import roc
from nearnd.tables_figures._marks import MARK

ROOT = Path(__file__).parents[1]
KINDS = plugins.available("tables_figures")


def module(kind: str):
    return importlib.import_module(f"nearnd.tables_figures.{kind}")


FIGURES = [kind for kind in KINDS if module(kind).MAKES == "figure"]


@pytest.fixture(scope="module")
def data() -> dict:
    return experiment(classes=4, methods=3, seeds=2)


def draw(kind: str, data: dict, **arguments):
    return module(kind).build(**arguments)(data)


def boxes(figure, renderer):
    """What is drawn side by side: panels with their labels, and legends outside of them."""
    panels = [ax for ax in figure.axes if ax.get_visible()]
    for ax in panels:
        legend = ax.get_legend()
        if legend:
            legend.set_in_layout(False)
            yield legend.get_window_extent(renderer)
        yield ax.get_tightbbox(renderer)
    for legend in figure.legends:
        yield legend.get_window_extent(renderer)
    for text in (figure._supxlabel, figure._supylabel):
        if text is not None:
            yield text.get_window_extent(renderer)


@pytest.fixture(scope="module")
def two() -> dict:
    """Three classes and three methods beside two classes and four methods."""
    return united(experiment(3, 3, 2), experiment(2, 4, 2))


@pytest.fixture(scope="module")
def many() -> dict:
    """Names as long as those of CIFAR-100's superclasses get."""
    data = experiment(20, 12, 1, per_class=10)
    data["labels"] |= {f"class {c}": f"non-insect large omnivores {c}" for c in range(21)}
    data["labels"] |= {f"method{m}": f"Frozen backbone {m}, k = 2" for m in range(12)}
    return data


@pytest.mark.parametrize("size", ["two", "many"])
@pytest.mark.parametrize("kind", FIGURES)
def test_nothing_overlaps_and_every_axis_is_labelled(kind, size, request):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns if a layout does not fit
        figure = draw(kind, request.getfixturevalue(size))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    width, height = figure.bbox.size
    found = list(boxes(figure, canvas.get_renderer()))
    for box in found:
        assert box.x0 > -2
        assert box.y0 > -2
        assert box.x1 < width + 2
        assert box.y1 < height + 2
    for a, b in itertools.combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 2 or along < 2, f"{a} and {b} overlap"
    if kind in ("sample_grid", "contact_sheet", "anomaly_maps"):
        return  # pictures, named by their titles
    assert figure._supxlabel or all(ax.get_xlabel() for ax in figure.axes if ax.get_visible())
    assert (
        figure._supylabel
        or kind == "progression"
        or figure.axes[0].get_ylabel()
        or kind
        in (
            "clp_vs_bottom1",
            "methods_plot",
            "auroc_per_test",
            "critical_difference",
            "clean_corrupted",
        )  # names on it
    )


BY_ROW = [k for k in KINDS if k not in [*FIGURES, "by_dataset", "paper_table", "sampler_table"]]


@pytest.mark.parametrize("kind", BY_ROW)
def test_a_table_of_two_datasets_has_the_rows_of_both(kind, two):
    pair = {"metric": "auroc_bottom1", "method": "method2", "table": "6", "row": "Ours, bottom-1"}
    compare = [pair | {"dataset": d, "column": "mean"} for d in ("shapes", "rings")]
    options = {"compare": compare} if kind == "published" else {}
    data = two | {"closeness": two["closeness"].assign(test="own")}
    both = draw(kind, data, **options)
    parts = []
    for dataset in ("shapes", "rings"):
        alone = draw(kind, only(data, dataset), **options)
        label = dataset if kind == "summary" else data["labels"][dataset]
        parts.append(both[both["dataset"] == label])
        assert parts[-1][list(alone)].to_csv(index=False) == alone.to_csv(index=False)
        rest = parts[-1].drop(columns=[*alone, "dataset"], errors="ignore")
        assert (rest == "").all(axis=None)  # the other one's classes or methods
    if kind != "summary":
        assert pd.concat(parts).index.equals(both.index)  # a dataset's rows stand together


def test_a_dataset_without_anomaly_classes_has_no_near_numbers_beside_one_that_has(two):
    metrics = two["metrics"]
    data = two | {
        "metrics": metrics[(metrics["dataset"] == "shapes") | (metrics["anomaly"] == "rest")]
    }
    table = draw("methods", data).set_index("dataset")
    assert (table.loc["Rings", "near (bottom-1)"] == "").all()
    assert list(table.loc["Shapes", "near (bottom-1)"]) == list(
        draw("methods", only(two, "shapes"))["near (bottom-1)"]
    )
    assert (table["far (one-vs-rest)"] != "").all()
    beside = draw("by_dataset", data).set_index("method")
    assert list(beside["Rings"]) == list(table.loc["Rings", "far (one-vs-rest)"])
    assert list(beside.loc["Method 3", ["Shapes", "mean"]]) == ["-", "-"]  # it ran on Rings alone


def test_splits_of_a_set_get_their_mean_and_deviation(two):
    table = draw("by_dataset", two, spread=True).set_index("method")
    own = table[["Rings", "Shapes"]].map(lambda text: float(text.split()[0].replace("-", "nan")))
    for method, row in own.dropna().iterrows():
        mean, sd = (float(part) for part in table.loc[method, "mean"].split(" ± "))
        assert mean == pytest.approx(row.mean(), abs=0.101)
        assert sd == pytest.approx(row.std(), abs=0.15)


def test_a_published_number_without_a_dataset_is_compared_where_it_can_only_be_one(two):
    pair = {
        "metric": "auroc_bottom1",
        "method": "method0",
        "table": "6",
        "row": "Ours, bottom-1",
        "column": "mean",
    }
    assert list(draw("published", only(two, "rings"), compare=[pair])["dataset"]) == ["Rings"]
    with pytest.raises(ValueError, match=r"fits the datasets \['rings', 'shapes'\]: say which"):
        draw("published", two, compare=[pair])


def numbers(figure) -> set[tuple]:
    """Everything that is drawn of data: points of lines, heights of steps, pixels."""
    found = set()
    for ax in figure.axes:
        for line in ax.lines:
            points = np.stack(line.get_data()).astype(float)
            points = points[:, np.isfinite(points).all(axis=0)]
            found.add(tuple(points.round(6).ravel()))
        found |= {tuple(p.get_data().values.round(6)) for p in ax.patches if hasattr(p, "get_data")}
        found |= {np.asarray(image.get_array()).tobytes() for image in ax.images}
    return found


# These draw one dataset, or all of them together
POOLED = {"auroc_vs_severity", "auroc_vs_share", "clp_vs_bottom1", "sampler_cost", "toy_boundaries"}


@pytest.mark.parametrize("kind", [k for k in FIGURES if k not in POOLED])
def test_a_figure_of_two_datasets_has_the_numbers_of_both(kind, two):
    options = {"method": "method1"} if kind == "histograms" else {}
    parts = [numbers(draw(kind, only(two, dataset), **options)) for dataset in ("shapes", "rings")]
    assert not parts[0] <= parts[1]
    assert numbers(draw(kind, two, **options)) == parts[0] | parts[1]


def test_figures_of_two_datasets_tell_them_apart(two):
    figure = draw("bottom_i", two)
    assert [ax.get_title() for ax in figure.axes] == ["Shapes", "Rings"]
    assert labels(figure) == [f"Method {m}" for m in range(4)]  # Rings alone has the last one
    assert labels(draw("fidelity_curves", two)) == ["Shapes: score SDE", "Rings: score SDE"]
    points = [line.get_xdata() for line in draw("clp_vs_bottom1", two).axes[1].lines[:4]]
    assert [len(x) for x in points] == [5, 5, 5, 2]  # a point for each class of each dataset
    clean = two | {"metrics": two["metrics"].assign(test="test")}
    both, first = draw("auroc_vs_severity", clean), draw("auroc_vs_severity", only(clean, "shapes"))
    assert numbers(both) == numbers(first)  # one corrupted test set of one dataset


def labels(figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def mean_of(table: pd.DataFrame, method: str) -> float:
    return 100 * summary.over_seeds(table, "method").set_index("method").loc[method, "mean"]


def test_bottom_i_starts_at_bottom1_and_ends_at_the_mean(data):
    figure = draw("bottom_i", data)
    assert labels(figure) == ["Method 0", "Method 1", "Method 2"]
    for i, line in enumerate(figure.axes[0].lines):
        y = line.get_ydata()
        assert len(y) == 4  # five classes, less the normal one
        assert y[0] == pytest.approx(mean_of(summary.bottom(data["metrics"]), f"method{i}"))
        assert y[-1] == pytest.approx(mean_of(summary.per_anomaly(data["metrics"]), f"method{i}"))


def test_near_is_not_drawn_over_far_where_each_task_has_one_anomaly_class(data):
    metrics = data["metrics"]
    pair = metrics[metrics["anomaly"].isin(["rest", metrics["anomaly"].iloc[-1]])]
    assert len(labels(draw("methods_plot", data))) > 1
    assert labels(draw("methods_plot", data | {"metrics": pair})) == ["far (one-vs-rest)"]


def test_fidelity_curves_are_means_in_a_band_of_extremes(data):
    figure = draw("fidelity_curves", data)
    assert labels(figure) == ["score SDE"]
    for measure, ax in zip(MEASURES, figure.axes, strict=True):
        by_step = data["fidelity"].groupby("step")[measure]
        assert ax.lines[0].get_ydata() == pytest.approx(by_step.mean().to_numpy())
        assert list(ax.lines[0].get_xdata()) == [100, 200, 400, 800, 1600, 3200]
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert band.min() == pytest.approx(by_step.min().min())
        assert band.max() == pytest.approx(by_step.max().max())
    assert "Fréchet" in figure.axes[0].get_ylabel()


def test_auroc_stands_over_the_distance_at_the_stop(data):
    figure = draw("auroc_vs_stop", data, reference="method0", methods=["method1", "method2"])
    far = figure.axes[0].containers[0][0]
    distance = data["fakes"].groupby("method")["frechet"].mean()
    assert list(far.get_xdata()) == pytest.approx([distance["method2"], distance["method1"]])
    expected = [mean_of(summary.one_vs_rest(data["metrics"]), m) for m in ("method2", "method1")]
    assert list(far.get_ydata()) == pytest.approx(expected)
    assert [words for words in labels(figure) if words.startswith("Method 0")] == [
        "Method 0, far (one-vs-rest)",
        "Method 0, near (closest class)",
        "Method 0, near (bottom-1)",
    ]


def test_correlation_is_over_the_points_that_are_drawn(data):
    figure = draw("clp_vs_bottom1", data)
    right = figure.axes[1]
    points = [np.stack([line.get_xdata(), line.get_ydata()]) for line in right.lines[:3]]
    assert [p.shape for p in points] == [(2, 4)] * 3  # a point per class
    x, y = np.concatenate(points, axis=1)
    assert (y >= x - 1e-9).all()
    assert f"r = {np.corrcoef(x, y)[0, 1]:.3f} over 12 points" in right.get_title()
    means = np.corrcoef([p.mean(axis=1) for p in points], rowvar=False)[0, 1]
    assert f"r = {means:.3f} over 3 method means" in right.get_title()


def test_a_method_looks_the_same_in_every_figure(data):
    lines = draw("bottom_i", data).axes[0].lines, draw("roc", data).axes[0].lines
    colours = [[to_hex(line.get_color()) for line in of] for of in lines]
    assert colours[0] == colours[1][:3]
    assert len(set(colours[0])) == 3
    alone = draw("bottom_i", data, methods=["method2"]).axes[0].lines[0]
    assert to_hex(alone.get_color()) == colours[0][2]


def test_the_area_under_a_roc_is_the_auroc():
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.4
    score = rng.integers(0, 9, 300) + y  # with ties
    curve = roc.roc(score, y)
    assert roc.mean_area([curve]) == pytest.approx(auroc(score, y), abs=1e-12)
    assert (curve[0][0], curve[1][0], curve[0][-1], curve[1][-1]) == (0, 0, 1, 1)


def test_roc_legend_gives_the_mean_auroc_far_and_near(data):
    figure = draw("roc", data)
    words = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    far, near = (
        summary.one_vs_rest(data["metrics"]),
        summary.clp(data["metrics"], data["closeness"]),
    )
    assert words == [
        f"Method {m}: {mean_of(far, f'method{m}'):.1f} | {mean_of(near, f'method{m}'):.1f}"
        for m in range(3)
    ]


def test_a_mean_roc_has_the_mean_area(data):
    figure = draw("roc", data)
    line = figure.axes[0].lines[1]
    expected = mean_of(summary.one_vs_rest(data["metrics"]), "method1")
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) / 100 == pytest.approx(expected, abs=1)


def test_test_sets_without_normal_images_borrow_them(data):
    scores = data["scores"]
    moved = scores["is_anomaly"]
    split = pd.concat([scores, scores[moved].assign(test="elsewhere")])
    closeness = pd.concat([data["closeness"].assign(test=t) for t in ("own", "elsewhere")])
    figure = draw("roc", {**data, "scores": split, "closeness": closeness}, near="elsewhere")
    for got, expected in zip(figure.axes, draw("roc", data).axes, strict=True):
        for a, b in zip(got.lines, expected.lines, strict=True):
            assert a.get_ydata() == pytest.approx(b.get_ydata())


def test_histograms_hold_every_image_once(data):
    figure = draw("histograms", data, method="method1")
    assert sorted(labels(figure)) == ["all other anomalies", "closest anomaly class", "normal"]
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert len(panels) == 4
    for ax in panels:
        outlines = [patch for patch in ax.patches if not patch.get_fill()]
        assert [patch.get_data().values.sum() for patch in outlines] == pytest.approx([100] * 3)
    assert panels[0].get_title() == "class 0\nclosest: class 1"
    assert "Method 1" in figure._supxlabel.get_text()


def drawn(ax) -> list[tuple[float, float, np.ndarray]]:
    """Row, column and pixels of the pictures in a panel."""
    return [(im.get_extent()[3], im.get_extent()[0], im.get_array()) for im in ax.images]


def test_sample_grid_shows_normal_near_and_fake_in_this_order(data):
    figure = draw("sample_grid", data, columns=5)
    for sample, ax in zip(data["samples"], figure.axes, strict=True):
        assert [text.get_text() for text in ax.get_yticklabels()] == ["normal", "near", "fakes"]
        assert ax.get_title() == f"{sample['normal']} (near: {sample['near']})"
        rows = [sample["real"], sample["anomalies"][sample["near"]], sample["fakes"]["fakes"]]
        pictures = drawn(ax)
        assert len(pictures) == 15
        for row, column, pixels in pictures:
            assert (pixels == rows[int(row)][int(column)]).all()


def test_sample_grid_has_a_row_for_each_kind_of_fakes(data):
    first = data["samples"][0]
    letters = first["anomalies"][first["near"]][:3]  # fewer than there are columns
    kinds = first["fakes"] | {"exposure": letters, "imported": 255 - first["real"]}
    shown = [sample | {"fakes": kinds} for sample in data["samples"]]
    ax = draw("sample_grid", data | {"samples": shown}, columns=5).axes[0]
    words = [text.get_text() for text in ax.get_yticklabels()]
    assert words == ["normal", "near", "fakes", "exposure", "imported"]
    rows = [first["real"], first["anomalies"][first["near"]], *kinds.values()]
    pictures = drawn(ax)
    assert [sum(row == r for row, _, _ in pictures) for r in range(5)] == [5, 5, 5, 3, 5]
    for row, column, pixels in pictures:
        assert (pixels == rows[int(row)][int(column)]).all()


def test_progression_goes_from_the_first_snapshot_to_a_framed_real_image(data):
    figure = draw("progression", data, columns=4)
    ax = figure.axes[0]
    words = [text.get_text() for text in ax.get_xticklabels()]
    assert words == ["100", "400", "800", "3.2k", "real"]
    rows = drawn(ax)
    for number, sample in enumerate(data["samples"]):
        pictures = [pixels for row, _, pixels in rows if row == number]
        expected = [sample["previews"][s][0] for s in (0, 2, 3, 5)] + [sample["real"][0]]
        steps = [sample["steps"][s] for s in (0, 2, 3, 5)]
        assert words[:4] == [f"{s / 1000:.3g}k" if s >= 1000 else str(s) for s in steps]
        for pixels, right in zip(pictures, expected, strict=True):
            assert (pixels == right).all()
    frames = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(frames) == 4
    red, green, blue, _ = frames[0].get_edgecolor()
    assert green > max(red, blue)


def test_samples_without_fakes_or_a_near_class_are_still_shown(data):
    keys = ("dataset", "normal", "real", "anomalies")
    bare = [{k: s[k] for k in keys} | {"fakes": {}} for s in data["samples"]]
    figure = draw("sample_grid", {**data, "samples": bare})
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["normal"]
    with pytest.raises(ValueError, match="no sample has previews"):
        draw("progression", {**data, "samples": bare})


def test_a_figure_leaves_matplotlib_as_it_was(data):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30, "axes.grid": False}):
        mine = draw("bottom_i", data)
        assert mpl.rcParams["font.size"] == 30
    assert mine.axes[0].xaxis.label.get_size() < 10
    assert dict(mpl.rcParams) == before


# ---- tables ----


def test_per_class_table(data):
    table = draw("per_class", data)
    classes = [f"class {c}" for c in range(4)]
    assert list(table.columns) == ["method", "setting", *classes, "mean", "runs"]
    assert list(table["method"]) == [f"Method {m}" for m in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert list(table["setting"][:3]) == [
        "far (one-vs-rest)", "near (bottom-1)", "near (closest class)"]  # fmt: skip
    rows = summary.bottom(data["metrics"])
    rows = rows[(rows["method"] == "method1") & (rows["normal"] == "class 2")]
    expected = f"{100 * rows['value'].mean():.1f} ± {100 * rows['value'].std():.1f}"
    assert table.loc[4, "class 2"].removesuffix(f" {MARK}") == expected
    means = summary.summary(data["metrics"], data["closeness"]).set_index(["method", "metric"])
    row = means.loc["method2", "auroc_clp"]
    assert (
        table.loc[8, "mean"].removesuffix(f" {MARK}")
        == f"{100 * row['mean']:.1f} ± {100 * row['sd']:.1f}"
    )
    assert (table["runs"] == 2).all()


def test_a_class_may_be_called_as_another_column_is(data):
    plain = draw("per_class", data)
    names = ["mean", "method", "runs", "setting"]
    labels = data["labels"] | {f"class {i}": name for i, name in enumerate(names)}
    odd = draw("per_class", data | {"labels": labels})
    columns = list(odd)
    assert columns == ["method", "setting", *names, *list(plain)[6:]]
    assert (odd.to_numpy() == plain.to_numpy()).all()


def test_per_class_table_with_one_seed_and_names(data):
    one = {**data, "metrics": data["metrics"].query("seed == 0")}
    table = draw("per_class", one, names=True, methods=["method2"])
    worst = summary.bottom(one["metrics"]).query("method == 'method2' and normal == 'class 0'")
    row = worst.iloc[0]
    assert table.loc[1, "class 0"] == f"{100 * row['value']:.1f} ({row['anomaly']})"
    assert "±" not in table.to_string()
    with pytest.raises(ValueError, match=r"methods \['nobody'\] are not in this experiment"):
        draw("per_class", data, methods=["nobody"])


def test_near_is_left_out_where_each_task_has_one_anomaly_class(data):
    """normals: each-not (MISO): the class that is left out is far and near at once."""
    metrics = data["metrics"]
    after = metrics["normal"].map(lambda c: f"class {int(c[-1]) + 1}")
    pairs = metrics[metrics["anomaly"] == after]
    pairs = pairs.assign(normal="not-" + pairs["anomaly"])
    miso = pd.concat([pairs, pairs.assign(anomaly="rest")])
    table = draw("per_class", {**data, "metrics": miso, "closeness": None})
    classes = [f"not-class {c}" for c in (1, 2, 3, 4)]
    assert list(table.columns) == ["method", "setting", *classes, "mean", "runs"]
    assert list(table["method"]) == ["Method 0", "Method 1", "Method 2"]
    assert set(table["setting"]) == {"against the class left out"}
    rows = 100 * pairs.query("method == 'method1' and normal == 'not-class 2'")["value"]
    assert table.loc[1, "not-class 2"] == f"{rows.mean():.1f} ± {rows.std():.1f}"
    assert (table["runs"] == 2).all()
    assert list(draw("methods", {**data, "metrics": miso}).columns) == [
        "method", "against the class left out", "runs"]  # fmt: skip
    two = pd.concat([miso, pairs.assign(anomaly="class 9", value=1.0)])  # a second anomaly class
    both = draw("per_class", {**data, "metrics": two, "closeness": None})
    assert set(both["setting"]) == {"against the class left out", "near (bottom-1)"}


def test_far_and_near_may_be_different_test_sets(data):
    metrics = data["metrics"]
    other = metrics.assign(test="other", value=metrics["value"] / 2)
    both = {**data, "metrics": pd.concat([metrics, other])}
    mixed, plain = draw("per_class", both), draw("per_class", data)
    assert mixed.loc[0, "mean"] == plain.loc[0, "mean"]
    halved = 100 * summary.bottom(other).query("method == 'method0'")["value"].mean()
    assert mixed.loc[1, "mean"].startswith(f"{halved:.1f}")
    assert draw("per_class", both, near="own").equals(plain)


def test_sensitivity_tables_have_a_column_per_method(data):
    table = draw("k_sensitivity", data, methods=["method2", "method0"])
    assert list(table.columns) == ["setting", "Method 2", "Method 0", "runs"]
    per_class = draw("per_class", data)
    assert list(table["Method 2"]) == list(per_class["mean"][6:])
    stops = draw("stop_sensitivity", data, methods=["method0", "method1"])
    assert list(stops["setting"][3:]) == ["stopped at step", "at Fréchet distance"]
    assert list(stops.loc[3, ["Method 0", "Method 1"]]) == ["400", "1200"]
    assert float(stops.loc[4, "Method 0"]) == pytest.approx(301.5, abs=1)


def test_fakes_table(data):
    table = draw("fakes", data)
    assert len(table) == 12  # three sets of fakes of four classes
    row = table[(table["fakes"] == "fakes2") & (table["normal"] == "class 1")].iloc[0]
    assert row["step"] == "3600"
    assert float(row["Fréchet distance"]) == pytest.approx(300 / 9 + 1, abs=0.1)
    assert (row["copies (%)"], row["n"], row["runs"]) == ("2.0", "100", 2)
    differing = data["fakes"].copy()
    differing.loc[(differing["seed"] == 1), "frechet"] += 2
    table = draw("fakes", {**data, "fakes": differing})
    assert table.loc[0, "Fréchet distance"] == "301 ± 1.41"


def test_published_table_sets_ours_beside_theirs(data):
    pair = {"dataset": "shapes", "method": "method2", "metric": "auroc_bottom1", "table": "6",
            "row": "Ours, bottom-1", "column": "*"}  # fmt: skip
    table = draw("published", data, compare=[pair, {**pair, "dataset": "absent"}])
    assert list(table["class"]) == ["Class 0", "mean"]
    assert list(table["published"]) == ["80.0", "81.0"]
    ours = mean_of(summary.bottom(data["metrics"]), "method2")
    assert table.loc[1, "ours"].startswith(f"{ours:.1f} ±")
    assert table.loc[1, "difference"] == f"{ours - 81:+.1f}"
    assert table.loc[1, "note"] == "a known slip"
    with pytest.raises(ValueError, match="no cell"):
        draw("published", data, compare=[{**pair, "row": "Theirs"}])
