"""What the list of datasets says about files that are, were, or are not here."""

import json
import os
from pathlib import Path

import pytest

from nearnd.catalog import read_catalog
from nearnd.plan import listing


def config(*kinds: str, mirrors=()) -> dict:
    entries = {kind: {"kind": kind} for kind in kinds}
    return {"datasets": entries, "mirrors": [str(mirror) for mirror in mirrors]}


def row(table, kind: str):
    return table.set_index("dataset").loc[kind]


def fetched(folder, name: str, newer: bool = False):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"content")
    (folder / f"{name}.json").write_text(json.dumps({"name": name}))
    os.utime(folder / name, (2e9, 2e9) if newer else (1e9, 1e9))


def test_one_row_for_each_set_with_size_terms_and_access(tmp_path):
    whole = config("cifar10", "mvtec", "digits", "stanford_cars")
    whole["datasets"] |= {f"mvtec_{i}": {"kind": "mvtec"} for i in range(5)}
    table = listing.listing(whole, tmp_path)
    assert list(table["dataset"]) == ["cifar10", "digits", "mvtec", "stanford_cars"]
    cifar, cars = row(table, "cifar10"), row(table, "stanford_cars")
    assert (cifar["files"], cifar["size"], cifar["access"]) == (1, "170 MB", "direct")
    assert (cars["files"], cars["size"], cars["access"]) == (4, "1.96 GB", "gated")
    assert "Krizhevsky" in cifar["licence"]
    assert row(table, "mvtec")["entries"] == "mvtec, mvtec_0, mvtec_1 and 3 more"
    assert row(table, "mvtec")["access"] == "gated"
    assert (row(table, "digits")["access"], row(table, "digits")["here"]) == ("made here", "")
    assert set(table.loc[table["files"] > 0, "here"]) == {"missing"}


def test_a_file_is_verified_only_with_a_record_that_is_not_older(tmp_path):
    name = "cifar-10-binary.tar.gz"

    def here() -> str:
        return row(listing.listing(config("cifar10"), tmp_path), "cifar10")["here"]

    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / name).write_bytes(b"content")
    assert here() == "not checked yet"
    fetched(tmp_path / "cifar10", name)
    assert here() == "verified"
    fetched(tmp_path / "cifar10", name, newer=True)
    assert here() == "changed since"
    (tmp_path / "cifar10" / name).unlink()  # the record is of a file that is gone
    assert here() == "missing"


def test_a_set_without_a_published_checksum_is_recorded_and_parts_are_counted(tmp_path):
    fetched(tmp_path / "cifar10_fsde", "cifar10_fsde.npy")
    fetched(tmp_path / "svhn", "train_32x32.mat")
    table = listing.listing(config("cifar10_fsde", "svhn"), tmp_path)
    assert row(table, "cifar10_fsde")["here"] == "recorded"
    assert row(table, "svhn")["here"] == "1 verified, 1 missing"


@pytest.mark.parametrize(
    ("mirror", "found"), [("{}", "not checked yet"), ("file://{}", "not checked yet"),
                          ("https://example.org/{}", "perhaps in a mirror")],
)  # fmt: skip
def test_mirrors_are_looked_into_and_servers_are_not_asked(mirror, found, tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"content")
    mirrors = [mirror.format(tmp_path)]
    table = listing.listing(config("cifar10", mirrors=mirrors), tmp_path / "archives")
    assert row(table, "cifar10")["here"] == found


def test_the_text_says_where_to_get_what_cannot_be_fetched(tmp_path):
    text = listing.text(config("mvtec", "cifar10"), tmp_path)
    assert "Fill in the form at https://www.mvtec.com" in text
    assert str(tmp_path / "mvtec") in text
    fetched(tmp_path / "mvtec", "mvtec_anomaly_detection.tar.xz")
    assert "Fill in the form" not in listing.text(config("mvtec", "cifar10"), tmp_path)


def test_the_text_fits_a_window(tmp_path):
    catalog = read_catalog(Path(__file__).parents[1] / "config" / "catalog")
    text = listing.text({**catalog, "mirrors": []}, tmp_path)
    table = text.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 120
    assert len({line.split()[0] for line in table[2:] if line[0] != " "}) == len(
        {entry["kind"] for entry in catalog["datasets"].values()}
    )
