"""Tables and figures of the papers by their names: every one is there, every published number in
it, and no cell is empty or guessed."""

import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml
from toy import copy_of_the_repository, overlay, planned, run

from nearnd import catalog, config, papers, plugins
from nearnd.plan import papers_list, start, targets
from nearnd.plan.check import check
from nearnd.plan.run import Run
from nearnd.report import certainty, paired, reads
from nearnd.tables_figures import _paper

ROOT = Path(__file__).parents[1]
PAPERS = {  # the tables of each paper; SURV's first has no numbers
    "fitymi": "1a 1b 1c 2 3 4 5 6 7 8",
    "unode": "1 2 3a 3b 4 5 6 7 8 9 10 11",
    "reth": "1 2 3 4 5 6",
    "nln": "1 2 3 4 5 6",
    "surv": "2 3 4 5 6 7 8 9",
}
FIGURES = {
    "fitymi": "figure_1 figure_3_left figure_3_right "
    + " ".join(f"appendix_figure_{n}" for n in range(1, 13)),
    "unode": "figure_1 figure_5",
    "reth": " ".join(f"figure_{n}" for n in range(1, 13)),
    "nln": "figure_1 figure_2 figure_4 figure_5 figure_6",
}
NAMES = [f"{p}_table_{n}" for p, numbers in PAPERS.items() for n in numbers.split()]


@cache
def shipped() -> dict:
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return catalog.whole(ROOT / "config/catalog", default)


def numbers(text: str) -> list[str]:
    """What stands in brackets."""
    return re.findall(r"\[([^\]]*)\]", text)


@cache
def drawn(target: str) -> pd.DataFrame:
    """A table as it is once everything was computed, with 0.5 for each number."""
    run = Run(shipped() | {"run": [target]})
    entry = run.entry("drawings", target)
    return plugins.build("tables_figures", entry)(papers_list.promised(run, target))


def test_every_table_and_figure_has_a_target():
    there = set(shipped()["papers"])
    assert set(NAMES) <= there
    figures = {f"{p}_{name}" for p, names in FIGURES.items() for name in names.split()}
    assert there == {*NAMES, *figures}


@pytest.mark.parametrize("target", NAMES)
def test_every_published_number_stands_in_its_table_once(target):
    table, (paper, number) = drawn(target), papers.parts_of(target)
    theirs = _paper.published_cells(reads.published([]), paper, number)
    shown = numbers(" ".join(table.drop(columns="row").to_numpy().ravel()))
    assert len(shown) == len(theirs)


@pytest.mark.parametrize("target", NAMES)
def test_no_cell_is_empty_and_every_dash_has_its_reason(target):
    table = drawn(target)
    notes = dict(re.match(r"\((\w+)\) (.+)", note).groups() for note in table.attrs["footnotes"])
    for cell in table.drop(columns=["row", "runs"]).to_numpy().ravel():
        mark = re.match(r"-( \((\w+)\))?( \[|$)", str(cell))
        assert str(cell).strip() not in ("", "nan")
        if mark:
            assert notes[mark[2]], cell
        else:
            assert re.match(r"[\d.]+|[a-z]", cell), cell


def test_the_papers_closest_classes_are_those_that_it_prints():
    """FITYMI table 5, wherever the catalog repeats them."""
    rows = reads.published([]).query("source == 'fitymi' and table == '5' and row == 'CLP'")
    printed = {r.column: r.note.partition(";")[0] for r in rows.itertuples()}
    whole = shipped()
    places = [whole["papers"][n]["closest"] for n in ("fitymi_table_6", "fitymi_appendix_figure_2")]
    places.append(whole["drawings"]["closest_class_cifar10"]["published"])
    known = set(config.classes(whole, "cifar100_fine"))
    for named in places:
        assert {_paper.plain(k): _paper.plain(v) for k, v in named.items()} == {
            _paper.plain(k): _paper.plain(v) for k, v in printed.items()
        }
        assert set(named.values()) <= known


# ---- figures ----

DRAWN = [n for n, e in shipped()["papers"].items() if "missing" not in e and "figure" in n]


@pytest.mark.parametrize("target", DRAWN)
def test_a_figure_can_be_planned(target):
    """It passes the checks of a run, its drawing is a figure, each file that it reads has a rule,
    and the methods whose numbers it knows are among those of its experiments."""
    run = Run(shipped() | {"run": [target]})
    check(run.config)
    entry = run.entry("drawings", target)
    plugins.build("tables_figures", entry)
    assert run.literal("drawings", target, "MAKES") == "figure"
    about = targets.drawing(run, target, target)
    files = targets.drawing_files(about)
    assert files or not run.literal("drawings", target, "READS")
    assert {Path(file).parts[0] for file in files} <= {"results"}
    methods = {m for part in run.parts(target) for m in run.experiment(part)["methods"]}
    rows = methods | {about["rows"].get(m, m) for m in methods}
    for numbers in (entry.get("series") or {}).values():
        assert set(numbers) <= rows


@pytest.mark.parametrize("target", NAMES)
def test_a_column_is_of_one_dataset_unless_it_is_a_mean_over_mvtec(target):
    """A pattern such as *mnist_miso has also Fashion-MNIST's."""
    for word, facts in shipped()["drawings"][target]["columns"]:
        many = facts.get("dataset", [])
        assert len(many) <= 1 or all(name.startswith("mvtec_") for name in many), word


@pytest.mark.parametrize(("target", "rows"), [("nln_table_1", 5), ("nln_table_2", 5),
                                              ("nln_table_6", 4)])  # fmt: skip
def test_every_method_of_nln_is_here(target, rows):
    table = drawn(target).drop(columns=["runs"]).set_index("row")
    assert len(table) == rows
    assert not table.apply(lambda column: column.str.startswith("-")).to_numpy().any()


# ---- in a run ----

TOY = {
    "run": ["toy"],
    "datasets": {"glyphs": {"per_class": 20}},
    "experiments": {
        "toy": {"dataset": "digits", "normals": ["3", "8"], "methods": ["pixels", "pixels_lof"]},
    },
    "methods": {"pixels": {"row": "fitymi"}, "pixels_lof": {"row": "not_in_the_paper"}},
    "papers": {
        "fitymi_table_1b": {
            "words": {"Ours": "fitymi", "CSI": "no_such_row", "MSAD": "hsc"},
            "columns": {"WBC": "toy", "Weather": {"missing": "made up: no weather today"}},
            "note": "A toy.",
        }
    },
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder in which a paper's table was made by its name, of a config that runs others."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("papers"))
    config = overlay(folder, "papers.yaml", TOY | {"run": ["cifar10"]})
    return folder, run(folder, "--", "fitymi_table_1b", config=config)


def test_a_table_has_our_numbers_dashes_with_reasons_and_published_values(toy):
    folder, _ = toy
    place = folder / "results/tables/fitymi_table_1b/fitymi_table_1b"
    table = pd.read_csv(f"{place}.csv").set_index("row")
    metrics = pd.read_csv(folder / "results/metrics/toy.csv")
    ours = metrics[(metrics["metric"] == "auroc") & (metrics["anomaly"] == "rest")]
    mean = 100 * ours.groupby("method")["value"].mean()
    certain = certainty.certainty(paired.load(folder / "results/metrics/toy.paired.safetensors")[0])
    for row, method, theirs in [
        ("Ours", "pixels", r" \[91.2"),
        ("pixels, LOF", "pixels_lof", "$"),  # not in the paper
    ]:
        low, high = (100 * end for end in certainty.interval(certain, method))
        text = rf"{mean[method]:.1f} \({low:.1f} to {high:.1f}\)( •)?{theirs}"
        assert re.match(text, table.loc[row, "WBC"]), table.loc[row, "WBC"]
    assert "•" in table.loc[["Ours", "pixels, LOF"], "WBC"].str.cat()
    assert "[50.4" in table.loc["CSI", "WBC"]
    runs = {"Ours": "1", "CSI": "-", "MSAD": "-", "pixels, LOF": "1"}
    assert table["runs"].to_dict() == runs
    text = place.with_suffix(".md").read_text()
    for row, column, why in [
        ("CSI", "WBC", "no method of the catalog has the row no_such_row"),
        ("MSAD", "WBC", "not among the methods of the experiments of this column"),
        ("Ours", "Weather", "made up: no weather today"),
    ]:
        mark = re.match(r"- (\(\w+\))", table.loc[row, column])[1]
        assert f"{mark} {why}" in text
        assert f"{mark} {why}" in table.loc[row, "notes"]
    assert "A toy." in text
    assert "toy: means over 2 of 10 classes (3, 8)." in text


def test_a_named_table_plans_what_it_needs_alone(toy):
    folder, said = toy
    assert "cifar" not in said
    assert planned(folder, "--", "fitymi_table_1b", config="papers.yaml") == {}


def test_an_unknown_target_is_told_with_near_names(toy):
    folder, _ = toy
    said = run(folder, "-n", "--", "fitymi_tabel_1b", config="papers.yaml", check=False)
    assert "unknown target 'fitymi_tabel_1b'" in said
    assert "Did you mean 'fitymi_table_1b'" in said
    assert "Traceback" not in said


def test_another_experiment_can_fill_a_table_and_the_table_says_so():
    fill = {"papers": {"fitymi_table_1c": {"of": ["cifar10_lite"]}}}
    found = catalog.whole(ROOT / "config/catalog", fill)["experiments"]["fitymi_table_1c"]
    assert found["of"] == ["cifar10_lite"]
    assert "Filled by cifar10_lite in place of cifar10_methods, cifar10_more" in found["note"]
    lite = shipped()["experiments"]["cifar10_lite"]["note"]
    assert lite in found["note"]


MISTAKES = [
    (
        {"of": ["cifar10_lit"]},
        r"papers: fitymi_table_7: unknown entry of experiments 'cifar10_l",
    ),
    ({"columns": {"": {"of": "no_*"}}}, r"papers: fitymi_table_7: unknown entry of experiments"),
    (
        {"drawing": "paper_tabel"},
        r"papers: fitymi_table_7: unknown entry of drawings 'paper_t",
    ),
]


@pytest.mark.parametrize(("entry", "words"), MISTAKES, ids=lambda x: x if type(x) is str else "")
def test_mistakes_in_entries_are_named(entry, words):
    with pytest.raises(ValueError, match=words):
        catalog.whole(ROOT / "config/catalog", {"papers": {"fitymi_table_7": entry}})


def test_named_targets_add_nothing_to_what_a_config_runs():
    run = Run(shipped() | {"run": ["digits"]})
    assert run.experiments == ["digits"]
    assert targets.asked_for(run, []) == ["digits"]
    assert targets.asked_for(run, ["fitymi_table_7"]) == ["fitymi_table_7"]
    assert set(targets.asked_for(run, ["fitymi"])) == {n for n in run.config["papers"] if "missing"
        not in run.config["papers"][n] and n.startswith("fitymi")}  # fmt: skip
    assert targets.asked_for(run, ["all", "fitymi_table_7"]) == ["digits", "fitymi_table_7"]


# ---- the listing ----


def test_the_listing_counts_cells_and_says_what_is_here(toy):
    folder, _ = toy
    said = run(folder, "--", "list_papers", config="papers.yaml")
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    assert set(shipped()["papers"]) <= lines.keys()
    # 2 of its 8 cells have numbers, and they are here
    assert re.search(r" 2 of 8 +6 +1 of 1 experiments +2$", lines["fitymi_table_1b"].rstrip())
    assert re.search(r"0 of \d+ experiments +0$", lines["fitymi_table_1a"].rstrip())
    assert "not yet: its outliers, ImageNet-22K" in lines["reth_figure_9"]
    assert "resnet152_tv" in lines["fitymi_table_2"]


def test_the_document_is_that_of_the_catalog(tmp_path):
    """If not: `snakemake results/papers.md` in an empty folder, and copy it to docs/PAPERS.md."""
    folder = copy_of_the_repository(tmp_path)
    run(folder, "--", "results/papers.md", config="config/config.yaml")
    made, kept = (folder / "results/papers.md").read_text(), (ROOT / "docs/PAPERS.md").read_text()
    assert made == kept


def test_an_entry_that_nothing_can_be_made_of_stops_the_run_with_its_name():
    entry = {"words": {"Ours": 5}, "columns": {"CIFAR-10": "cifar10"}}  # a row is a text
    given = start.layers([ROOT / "config/config.yaml"], [])
    whole = catalog.whole(ROOT / "config/catalog", given | {"papers": {"fitymi_table_99": entry}})
    with pytest.raises(ValueError, match="papers: .*fitymi_table_99"):
        start.check_whole(whole, ROOT)
