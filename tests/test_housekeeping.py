"""What is removed and what is kept of half-done work, and what takes how much room."""

import os

import pytest

from nearnd.plan import housekeeping

OUTPUTS = {
    "generator": ["generators/{dataset}/{normal}/seed{seed}/fidelity.csv",
                  "generators/{dataset}/{normal}/seed{seed}/snapshots"],
    "backbone": ["backbones/{backbone}.safetensors"],
}  # fmt: skip


def put(file, size=1000):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    return file


@pytest.fixture
def results(tmp_path):
    """Three generators with states, of which 3 and 5 are finished, and a finished backbone."""
    for normal in "358":
        put(tmp_path / f"state/generator/digits/{normal}/0/abc/last.safetensors", 3_000_000)
        snapshot = put(tmp_path / f"state/generator/digits/{normal}/0/abc/step7.safetensors")
        if normal != "8":
            place = tmp_path / f"generators/digits/{normal}/seed0"
            put(place / "fidelity.csv")
            (place / "snapshots").mkdir()
            os.link(snapshot, place / "snapshots/step7.safetensors")
    put(tmp_path / "backbones/vit.safetensors")
    put(tmp_path / "state/backbone/vit/abc/last.safetensors")
    return tmp_path


def test_only_states_of_jobs_that_are_done_are_removed(results):
    text = housekeeping.clean(results, OUTPUTS)
    left = {file.parts[-4] for file in results.glob("state/generator/*/*/*/*/last.safetensors")}
    assert left == {"8"}
    assert not (results / "state/backbone/vit/abc").exists()
    assert "removed: backbone vit, 0.0 MB" in text
    assert "removed (ended early: a later `until` trains it from the start): generator" in text
    assert "kept (unfinished: it goes on from here): generator digits/8/0" in text
    assert "\n6.0 MB freed" in text  # the snapshots stay, as results


def test_a_job_that_lacks_one_of_its_outputs_is_unfinished(results):
    (results / "generators/digits/3/seed0/fidelity.csv").unlink()
    housekeeping.clean(results, OUTPUTS)
    assert (results / "state/generator/digits/3/0/abc/last.safetensors").exists()


def test_a_snapshot_with_two_names_counts_once(results):
    sizes = {stage: taken for stage, _, taken, _ in housekeeping.sizes(results)}
    assert sizes["generators"] == 2 * (1000 + 1000)
    assert sizes["state"] == 3 * 3_000_000 + 1000 + 1000  # one snapshot is not yet a result
    assert sum(sizes.values()) == housekeeping.size(results)
    assert "what it is" in housekeeping.text_of_sizes(results)


def test_without_results_nothing_fails(tmp_path):
    assert "0.0 MB freed" in housekeeping.clean(tmp_path / "results", OUTPUTS)
    assert housekeeping.sizes(tmp_path / "results") == []
