"""One table over two datasets with one row for each method: an experiment that unites others."""

import pandas as pd
import pytest
from toy import copy_of_the_repository, overlay, planned, run

UNITED = {
    "run": ["both"],
    "datasets": {"glyphs": {"per_class": 20}},
    "methods": {  # one method with the settings of each dataset
        "near1": {"detector": "pixels", "score": "knn1", "label": "nearest", "row": "near"},
        "near5": {"detector": "pixels", "score": "knn5", "label": "five nearest", "row": "near"},
    },
    "experiments": {
        "two": {"dataset": "digits", "normals": ["3", "8"], "methods": ["pixels", "near1"]},
        "letters": {
            "dataset": "glyphs",
            "normals": ["A", "b"],
            "methods": ["pixels", "near5"],
        },
        "both": {"of": ["two", "letters"], "drawings": ["by_dataset", "per_class", "roc"]},
    },
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which it has run."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("united"))
    run(folder, config=overlay(folder, "united.yaml", UNITED))
    return folder


def test_a_table_has_one_row_for_a_method_and_a_column_for_a_dataset(done):
    table = pd.read_csv(done / "results/tables/both/by_dataset.csv")
    assert list(table["method"]) == ["pixels, k-NN", "nearest"]  # the first one's label
    summary = pd.read_csv(done / "results/tables/summary.csv")
    means = summary[summary["metric"] == "auroc_one_vs_rest"].set_index(["dataset", "method"])
    # a number, how many images, and a mark where none is shown to be better
    for dataset, near in (("digits", "near1"), ("glyphs", "near5")):
        expected = [means.loc[(dataset, method), "mean"] for method in ("pixels", near)]
        table[dataset] = table[dataset].astype(str).str.split().str[0].astype(float)
        assert table[dataset].tolist() == pytest.approx([100 * m for m in expected], abs=0.0501)
    assert table["mean"].tolist() == pytest.approx(
        table[["digits", "glyphs"]].mean(axis=1), abs=0.101
    )


def test_a_second_run_does_nothing_and_one_drawing_is_a_target(done):
    assert planned(done, config="united.yaml") == {}
    (done / "results/figures/both/roc.png").unlink()
    assert planned(done, "--", "roc_both", config="united.yaml").keys() <= {"figure", "roc_both"}
