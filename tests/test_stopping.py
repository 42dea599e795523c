"""Early end in the workflow: training ends where `until` says, and goes on with a later one."""

from pathlib import Path

import pandas as pd
import yaml
from toy import copy_of_the_repository, digests, overlay, planned, run

PLACE = Path("results/generators/digits/3/digits_ve/seed0")
LOG = Path("results/logs/generators/digits/3/digits_ve/seed0.log")
FAKES = ("--nolock", "results/fakes/digits/3/digits_near/seed0.npy")
GENERATOR = ("--nolock", str(PLACE / "fidelity.csv"))
WATCH = {"glyph_vit": {"detector": "pixels", "measures": ["frechet", "kid"]}}  # quick features


def config(folder, stop, until=None):
    fakes = {"digits_near": {"stop": {"step": stop}, "ratio": 1}}
    toy = yaml.safe_load((folder / "tests/toy.yaml").read_text())["generators"]["digits_ve"]
    generators = {"digits_ve": toy | {"until": until}}
    changes = {"monitors": WATCH, "fakes": fakes, "generators": generators}
    return overlay(folder, f"{stop}.yaml", changes)


def steps(folder):
    return list(pd.read_csv(folder / PLACE / "fidelity.csv")["step"])


def made(folder):
    return {name: digest for name, digest in digests(folder).items() if "/generators/" in name}


def test_training_is_as_long_as_until_says_and_can_be_made_longer(tmp_path):
    folder, whole = (copy_of_the_repository(tmp_path / name) for name in ("ended", "whole"))
    four = config(folder, 4, {"step": 4})
    run(folder, *FAKES, config=four)
    assert "ended at step 4, 8 of 12 steps saved" in (folder / LOG).read_text()
    assert steps(folder) == [4]
    cost = pd.read_csv(folder / PLACE / "cost.tsv", sep="\t")
    assert (cost["steps_trained"].item(), cost["steps_asked"].item()) == (4, 12)
    assert planned(folder, *FAKES, config=four) == {}

    # to the end, from where it was: the same bytes as a training that was never ended, and no
    # state is left
    run(folder, *GENERATOR, config=config(folder, 12))
    assert "goes on from step 4 of 12" in (folder / LOG).read_text()
    assert steps(folder) == [4, 8, 12]
    assert not list((folder / "results/state").rglob("*.safetensors"))
    run(whole, *GENERATOR, config=config(whole, 12))
    assert made(folder) == made(whole)
    assert len(made(whole)) == 3 + 2  # snapshots; fidelity, previews
