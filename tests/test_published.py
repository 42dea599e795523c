"""The papers' numbers: every file reads, every number stands once, and where a paper prints a mean
it is the mean of its cells, or the slip is named here and in the number's note."""

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from nearnd import catalog
from nearnd.files.tables import load_table
from nearnd.plugins import listed
from nearnd.tables_figures import published

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "resources" / "published").glob("*.csv"))
PAPERS = [file.stem for file in FILES]
CATALOG = catalog.whole(ROOT / "config" / "catalog")
KEY = ["table", "row", "column"]

TEXTURES = {"carpet", "grid", "leather", "tile", "wood"}
OBJECTS = {
    "bottle", "cable", "capsule", "hazelnut", "metal_nut", "pill", "screw", "toothbrush",
    "transistor", "zipper",
}  # fmt: skip
CLEAN = {"Normal", "identity"}  # columns that the averages over corruptions leave out

# Printed means that are not those of their cells: what the cells give, and why
SLIPS = {
    ("fitymi", "6", "DeepSVDD, bottom-1", "mean"): (25.0, "floored at chance"),
    ("fitymi", "6", "OC-OpenGAN, bottom-1", "mean"): (18.8, "floored at chance"),
    ("reth", "4", "Focal", "mean"): (95.7, "rounded from unrounded values, or a slip"),
    ("reth", "5", "Focal", "mean"): (95.7, "as in table 4"),
    ("unode", "1", "mean", "CSI"): (82.6, "a slip of 0.3"),
    ("unode", "4", "mean", "None"): (82.2, "a slip of five points"),
    ("unode", "4", "mean", "CutPaste"): (92.5, "Rotate's mean, printed twice"),
    ("unode", "4", "mean", "AutoAugment"): (78.8, "cut off, not rounded"),
    ("unode", "7", "FGVC, pretrained", "mean"): (82.6, "a slip of 0.3"),
    ("unode", "11", "2: FITYMI, ViT-B/16*", "mean"): (92.3, "cut off, not rounded"),
}
# Printed means some of whose cells are not in the file
INCOMPLETE = {
    ("unode", "7", "CIFAR-100, pretrained", "mean"): "no class is legible",
    ("unode", "8", "MVTecAD, scratch", "mean"): "five categories are illegible",
    ("unode", "8", "MVTecAD, pretrained", "mean"): "five categories are illegible",
    ("unode", "9", "CIFAR-10-C, frog", "mean"): "the averages over classes alone are transcribed",
    ("unode", "9", "CIFAR-10-C", "mean"): "as above; over corruptions it is checked",
}


def paper(name: str) -> pd.DataFrame:
    file = ROOT / "resources" / "published" / f"{name}.csv"
    return load_table(file, "source", *KEY, "value", "note").astype({"table": str})


def cells(name: str) -> pd.Series:
    return paper(name).set_index(KEY)["value"].sort_index()


def members(numbers: pd.DataFrame, cell) -> list[pd.Series]:
    """The values that a printed mean is over: of its row, of its column; none if it is no mean."""
    same = numbers[numbers["table"] == cell.table]
    row, column = same[same["row"] == cell.row], same[same["column"] == cell.column]
    found = []
    if cell.column == "mean":
        found.append(row[~row["column"].isin({"mean"} | CLEAN)])
    parts = {"mean of textures": TEXTURES, "mean of objects": OBJECTS}
    if cell.row in parts:
        found.append(column[column["row"].isin(parts[cell.row])])
    if cell.row == "mean":
        found.append(column[~column["row"].isin({"mean", "sd"})])
    if cell.row.endswith("-C"):  # over the rows "CIFAR-100-C, aquatic_mammals", ..., if there
        classes = column[column["row"].str.startswith(f"{cell.row}, ")]
        found += [classes] if len(classes) else []
    return [part["value"] for part in found]


# ---- form ----


@pytest.mark.parametrize("file", FILES, ids=PAPERS)
def test_every_number_stands_once_and_is_one(file):
    with file.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["source", *KEY, "value", "note"]
    assert {len(row) for row in rows} == {6}
    assert {row[0] for row in rows} == {file.stem}
    assert all(word and word == word.strip() for row in rows for word in row[1:5])
    assert len({tuple(row[1:4]) for row in rows}) == len(rows)
    assert not [row for row in rows if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", row[4])]
    numbers = paper(file.stem)  # read as the drawings read it: no name has become a missing value
    assert len(numbers) == len(rows)
    for part in (*KEY, "value"):
        assert numbers[part].notna().all(), part


def test_values_are_percent_or_say_what_else_they_are():
    for name in PAPERS:
        numbers = paper(name)
        other = numbers["note"].str.contains("not percent", na=False)
        if name == "fitymi":
            other |= numbers["table"] == "5"  # class indices
        assert numbers["value"][other].between(0, 99).all()
        other |= numbers["row"].str.endswith(", FPR95")  # may be 0
        percent = numbers[~other]
        assert percent["value"].between(0, 100).all()
        # a fraction that was not multiplied by 100 would be below 1; NLN's gains may be small
        assert (percent["value"] > (1 if name == "nln" else 2)).all(), name


def test_every_paper_has_its_tables():
    """FITYMI 1a to 8, UNODE 1 to 11, RETH and NLN 1 to 6; SURV's 2 is in no source of ours."""
    tables = {name: set(paper(name)["table"]) for name in PAPERS}
    assert tables["fitymi"] == {"1a", "1b", "1c", *"2345678", "appendix figure 2"}
    assert tables["unode"] == {"1", "2", "3a", "3b", *"456789", "10", "11"}
    assert tables["reth"] == tables["nln"] == set("123456")
    assert tables["surv"] == set("3456789")


# ---- means ----


@pytest.mark.parametrize("name", PAPERS)
def test_printed_means_are_means_or_known_slips(name):
    numbers = paper(name)
    slips, incomplete = set(), set()
    for cell in numbers.itertuples():
        key = (name, cell.table, cell.row, cell.column)
        unit = 1.0 if (name, cell.table) == ("nln", "5") else 0.1  # the last printed digit
        for values in members(numbers, cell):
            mean = values.mean()
            if key in SLIPS:
                slips.add(key)
                true = SLIPS[key][0]
                assert mean == pytest.approx(true, abs=0.06), key
                assert abs(mean - cell.value) > 0.06, f"{key} is no slip"
                assert f"means {true}" in cell.note, key
            elif key in INCOMPLETE and not abs(mean - cell.value) <= 0.6 * unit:
                incomplete.add(key)
            else:
                assert mean == pytest.approx(cell.value, abs=0.6 * unit), key
    assert slips == {key for key in SLIPS if key[0] == name}
    assert incomplete == {key for key in INCOMPLETE if key[0] == name}


@pytest.mark.parametrize("name", PAPERS)
def test_what_looks_like_a_mean_is_checked(name):
    """As many means as the files have: none is left out because a name is written otherwise."""
    numbers = paper(name)
    means = [cell for cell in numbers.itertuples() if members(numbers, cell)]
    expected = {
        "fitymi": 20 + 1 + 1,  # tables 6, 7, 8
        "unode": 13 + 13 + 8 + 12 + 4 + 5 + 1 + 10,  # tables 1, 2, 4, 7, 8, 9, 10, 11
        "reth": 11 + 4 + 4,  # tables 4, 5, 6
        "nln": 2 * 5,  # table 5: textures and objects
        "surv": 0,
    }
    assert len(means) == expected[name]


# ---- numbers that the papers print twice ----


def test_fitymi_prints_some_numbers_twice():
    value = cells("fitymi")
    assert value["1c", "CIFAR-10vs100", "Ours"] == value["6", "Ours, bottom-1", "mean"] == 90.0
    assert value["2", "near-ND CIFAR-10vs100, pre-trained", "ViT-B_16"] == 65.5
    assert value["1a", "CIFAR-10", "Ours"] == value["7", "Ours", "mean"] == 99.1
    assert value["1a", "CIFAR-100", "Ours"] == value["8", "Ours", "mean"] == 98.1
    assert value["4", "near-ND CIFAR-10vs100", "FID<20"] == 68.2
    assert value["3", "MVTecAD, density", "SDE"] == 0.908
    for dataset, table in {"CIFAR-10": "1a", "MVTecAD": "1a", "Weather": "1b", "WBC": "1b"}.items():
        assert value["3", dataset, "SDE"] == value[table, dataset, "Ours"]


def test_fitymis_worst_classes_agree_with_their_aurocs():
    """Table 5 holds indices of CIFAR-100's classes, with the name as a note. Where a method's worst
    class is the closest one, table 6 has one AUROC twice; elsewhere bottom-1 is the smaller. CSI
    breaks both rules, as the notes say."""
    groups = [line.split(": ")[1].split() for line in listed("cifar100")]
    fine = sorted(name for group in groups for name in group)
    numbers = paper("fitymi")
    table = numbers[numbers["table"] == "5"]
    assert [fine[int(i)] for i in table["value"]] == list(table["note"])
    worst = table.pivot(index="row", columns="column", values="note")
    assert len(worst) == 11
    assert worst.loc["CLP"].to_dict() == CATALOG["drawings"]["closest_class_cifar10"]["published"]
    value, note = cells("fitymi"), numbers.set_index(KEY)["note"]
    same, above = set(), set()
    for method in worst.index.drop("CLP"):
        for c in worst.columns:
            low = value["6", f"{method}, bottom-1", c]
            close = value["6", f"{method}, CLP", c]
            if worst.loc[method, c] == worst.loc["CLP", c] and low != close:
                same.add((method, c))
            if low > close:
                above.add((method, c))
    assert above == {("CSI", "ship")}
    assert same == {("CSI", "deer"), ("CSI", "horse")}
    assert "impossible" in note["6", "CSI, bottom-1", "ship"]
    for method, c in same:
        assert "same anomaly class" in note["6", f"{method}, bottom-1", c], (method, c)


def test_the_correlation_of_clp_and_bottom1_is_not_that_of_table_6():
    value, numbers = cells("fitymi")["6"].unstack("column"), paper("fitymi")
    low = value[value.index.str.endswith("bottom-1")].sort_index()
    close = value[value.index.str.endswith("CLP")].sort_index()
    found = numbers[numbers["table"] == "appendix figure 2"].iloc[0]
    classes = [table.drop(columns="mean") for table in (low, close)]
    pairs = pd.DataFrame({w: t.to_numpy().ravel() for w, t in zip("lc", classes, strict=True)})
    means = pd.DataFrame({w: t.mean(axis=1).to_numpy() for w, t in zip("lc", classes, strict=True)})
    printed = pd.DataFrame({"l": low["mean"].to_numpy(), "c": close["mean"].to_numpy()})
    assert len(pairs) == 100
    assert found["value"] == 0.843
    for table in (printed, means, pairs):
        r = table.corr().loc["l", "c"]
        assert abs(r - found["value"]) > 0.02
        assert f"{r:.3f}" in found["note"]


def test_reths_tables_agree_with_each_other():
    """Tables 1 and 2 have the means of tables 4 and 6, table 4 the means of table 5; the deviations
    of the means of tables 5 and 6 are those of their classes."""
    value, notes = cells("reth"), paper("reth").set_index(KEY)["note"]
    for method in ("DSVDD*", "GT+*", "GT+* with OE", "DSAD", "HSC", "Focal*", "Focal", "BCE"):
        assert value["1", "CIFAR-10", method] == value["4", method, "mean"]
    for method in ("DSAD", "HSC", "Focal", "BCE"):
        assert value["2", "ImageNet-1K", method] == value["6", method, "mean"]
        assert value["5", method].equals(value["4", method])
        for table, number in {"5": 10, "6": 30}.items():
            classes = value[table, method].drop("mean")
            note = notes[table, method, "mean"]
            spread = float(re.search(r"sd over classes (\d\.\d\d)", note)[1])
            assert classes.std(ddof=0) == pytest.approx(spread, abs=0.055)  # rounded
            assert len(classes) == number


def test_two_columns_of_reths_table_6_are_in_another_order():
    """DSAD and Focal are printed in string order of the class numbers (0, 1, 10, 11, ...): read so,
    they agree with HSC and BCE. The notes name the class."""
    names = listed("imagenet30")
    order = [names[i] for i in sorted(range(30), key=str)]
    value, notes = cells("reth")["6"].unstack("row"), paper("reth").set_index(KEY)["note"]
    value = value.loc[names]
    for odd, even in (("Focal", "BCE"), ("DSAD", "HSC")):
        moved = pd.Series(value[odd].to_numpy(), index=order)
        assert value[odd].corr(value[even]) < 0.2
        assert moved[names].corr(value[even]) > 0.97
        for printed, true in zip(names, order, strict=True):
            said = re.search(r"by its order of (\w+)$", notes["6", odd, printed])
            assert (said[1] if said else printed) == true


def test_unodes_tables_agree_with_each_other():
    value = cells("unode")
    for method, deviation in value["1", "sd"].items():
        sets = value["1"].xs(method, level="column").drop(["mean", "sd"])
        assert len(sets) == 10
        assert sets.std(ddof=0) == pytest.approx(deviation, abs=0.06)
    for way in ("scratch", "pretrained"):
        for table in ("7", "8"):
            for row, mean in value[table].xs("mean", level="column").items():
                dataset, kind = row.split(", ")
                if kind == way and dataset != "MVTecAD":  # whose note says so
                    assert value["1", dataset, f"UNODE {way}"] == mean
    for table, dataset in (("9", "MNIST-C"), ("9", "CIFAR-10-C"), ("9", "CIFAR-100-C"),
                           ("10", "EMNIST-Letters-C")):  # fmt: skip
        assert value[table, dataset, "mean"] == value["2", dataset, "UNODE pretrained"]
    for dataset in ("MNIST", "CIFAR-10", "MVTecAD"):
        assert value["4", dataset, "AutoAugOOD"] == value["1", dataset, "UNODE pretrained"]


def test_unode_repeats_fitymis_numbers_or_says_otherwise():
    """Both print MSAD's, PANDA's, CSI's, PatchCore's and FITYMI's AUROC on three sets."""
    ours, theirs = cells("unode"), cells("fitymi")
    notes = paper("unode").set_index(KEY)["note"]
    methods = {"CSI": "CSI", "MSAD": "MSAD", "PANDA": "PANDA", "PatchCore": "PatchCore",
               "FITYMI": "Ours"}  # fmt: skip
    places = {"CIFAR-10": ("1a", "CIFAR-10"), "CIFAR-100": ("1a", "CIFAR-100"),
              "MVTecAD": ("1a", "MVTecAD"), "FGVC": ("1b", "FGVC-Aircraft")}  # fmt: skip
    differ = {}
    for dataset, (table, row) in places.items():
        for method, column in methods.items():
            if (table, row, column) in theirs.index:
                value = theirs[table, row, column]
                if value != ours["1", dataset, method]:
                    differ[dataset, method] = value
    assert differ == {("CIFAR-100", "FITYMI"): 98.1, ("MVTecAD", "FITYMI"): 86.4,
                      ("MVTecAD", "CSI"): 63.6, ("FGVC", "CSI"): 64.6}  # fmt: skip
    for (dataset, method), value in differ.items():
        assert f"{value}" in notes["1", dataset, method]
    for id, method, column in (("1: MSAD, ResNet-152*", "MSAD", "MSAD"),
                               ("2: FITYMI, ViT-B/16*", "FITYMI", "Ours")):  # fmt: skip
        for dataset, table in {"Birds": "1a", "MVTecAD": "1a", "Weather": "1b"}.items():
            assert ours["11", id, dataset] == theirs[table, dataset, column], method


def test_nln_prints_its_best_number_with_two_settings():
    value, notes = cells("nln"), paper("nln").set_index(KEY)["note"]
    assert value["3", "NLN", "MNIST"] == value["6", "MNIST", "all terms"] == 92.1
    assert "alpha 1.0" in notes["3", "NLN", "MNIST"]
    assert "alpha 0.9" in notes["6", "MNIST", "all terms"]


def test_surv_prints_mc_dropouts_aupr_as_odins_too():
    value, notes = cells("surv")["3"], paper("surv").set_index(KEY)["note"]
    assert len(value["ODIN, AUPR"]) == 10
    assert value["ODIN, AUPR"].equals(value["MC-dropout, AUPR"])
    assert notes["3"].loc["ODIN, AUPR"].str.contains("MC-dropout's row printed again").all()


@pytest.mark.parametrize(("table", "sets"), [("3", 10), ("4", 10), ("6", 7)])
def test_surv_has_three_measures_of_eight_methods_on_every_set(table, sets):
    value = cells("surv")[table].unstack("column")
    methods = {row.split(", ")[0] for row in value.index}
    assert value.shape == (24, sets)
    assert set(value.index) == {m + c for m in methods for c in ("", ", FPR95", ", AUPR")}
    assert value.notna().all(axis=None)
    # a ROC curve through (FPR95, 95 %) has an area between that of its two extreme courses
    for method in methods:
        alarms, area = value.loc[f"{method}, FPR95"], value.loc[method]
        assert (area >= 0.95 * (100 - alarms) - 0.01).all(), method
        assert (area <= 100 - 0.05 * alarms + 0.01).all(), method


def test_survs_open_set_tables_share_a_row():
    value = cells("surv")
    for dataset in ("MNIST", "SVHN"):
        assert value["8", "OpenMax", dataset] == value["9", "OpenMax", dataset]
    assert value["7", "DeepSVDD", "FashionMNIST"] == value["7", "OC-SVM", "FashionMNIST"] == 92.8


# ---- what the drawings compare ----


COMPARED = [name for name, entry in CATALOG["drawings"].items() if entry["kind"] == "published"]


@pytest.mark.parametrize("drawing", COMPARED)
def test_every_number_that_is_compared_exists_there_and_here(drawing):
    entry = CATALOG["drawings"][drawing]
    places = set(cells(entry.get("source", "fitymi")).index)
    for pair in entry.get("compare", published.FITYMI):
        column = "mean" if pair["column"] == "*" else pair["column"]
        assert (pair["table"], pair["row"], column) in places, pair
        assert pair["method"] in CATALOG["methods"], pair
        assert pair.get("dataset", "cifar10") in CATALOG["datasets"], pair
        test = pair.get("test", "test").removesuffix(".test")
        assert test in {"test", *CATALOG["datasets"]}, pair
