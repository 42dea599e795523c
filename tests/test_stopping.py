"""Early stopping in the workflow: training ends where the fakes have what they need, goes on from
there when others ask for more, and nothing runs that is not needed."""

import json
from pathlib import Path

import pandas as pd
import pytest
from toy import copy_of_the_repository, digests, overlay, planned, run

PLACE = Path("results/generators/digits/3/digits_ve/seed0")
FAKES = ("--nolock", "results/fakes/digits/3/digits_near/seed0.npy")
WATCH = {"glyph_vit": {"detector": "pixels", "measures": ["frechet", "kid"]}}  # quick features


def config(folder, step):
    entry = {"stop": {"step": step}, "ratio": 1}
    return overlay(folder, f"{step}.yaml", {"monitors": WATCH, "fakes": {"digits_near": entry}})


def steps(folder):
    return list(pd.read_csv(folder / PLACE / "fidelity.csv")["step"])


def made(folder):
    return {n: d for n, d in digests(folder).items() if "/generators/" in n or "/fakes/" in n}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder in which the fakes of one class asked for step 4 of 12."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("stopped"))
    run(folder, *FAKES, config=config(folder, 4))
    return folder


def test_training_is_as_long_as_the_fakes_need_and_can_be_made_longer(stopped, tmp_path):
    four, eight, twelve = (config(stopped, step) for step in (4, 8, 12))
    assert steps(stopped) == [4]
    reached = json.loads((stopped / PLACE / "reached.json").read_text())
    assert (reached["stopped_at"], reached["steps_asked"], reached["over"]) == (4, 12, False)
    cost = pd.read_csv(stopped / PLACE / "cost.tsv", sep="\t")
    assert cost["steps_trained"].item() == 4
    assert planned(stopped, *FAKES, config=four) == {}

    # another stop, later: from where it ended
    text = run(stopped, *FAKES, config=eight)
    assert "goes on from step 4 of 12" in text
    assert "all stops met at step 8: 4 of 12 steps saved" in text
    assert steps(stopped) == [4, 8]
    assert planned(stopped, *FAKES, config=eight) == {}

    # an earlier one: only its fakes; and what was forced to run again asks for nothing later
    assert planned(stopped, *FAKES, config=four) == {"fakes": 1}
    run(stopped, "--forcerun", "generator", *FAKES, config=four)
    assert planned(stopped, *FAKES, config=four) == {}
    assert planned(stopped, *FAKES, config=eight) == {"fakes": 1}
    assert steps(stopped) == [4, 8]

    # to the end: the same bytes as a training that was never stopped, and no state is left
    run(stopped, *FAKES, config=twelve)
    assert not list((stopped / "results/state").rglob("*.safetensors"))
    whole = copy_of_the_repository(tmp_path)
    run(whole, *FAKES, config=config(whole, 12))
    assert made(stopped) == made(whole)
    assert len(made(whole)) == 3 + 2 + 2  # snapshots; fidelity, previews; fakes and their facts
