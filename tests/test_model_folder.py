"""A trained method taken out of the workflow: the same scores, and a threshold that holds."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nearnd import plugins
from nearnd.cli import main
from nearnd.files.arrays import save_array, save_tensors
from nearnd.files.tables import save_table
from nearnd.plan.export import export
from nearnd.plan.run import Run
from nearnd.report import model_folder

RNG = np.random.default_rng(0)
CONFIG = {
    "datasets": {"mine": {"kind": "image_folder", "path": "somewhere"}},
    "detectors": {"pixels": {"kind": "pixels"}},
    "scores": {"knn1": {"kind": "knn", "k": 1}},
    "methods": {"pixels": {"detector": "pixels", "bank": "full", "score": "knn1"}},
}


@pytest.fixture
def results(tmp_path):
    """What a finished run leaves of a method, with 39 held-out normal images and one anomaly."""
    folder = tmp_path / "results"
    detector = plugins.build("detectors", {"kind": "pixels"})
    dark = RNG.integers(0, 50, (60, 8, 8, 3)).astype(np.uint8)
    (folder / "detectors/any/any/pixels").mkdir(parents=True)
    detector.save(folder / "detectors/any/any/pixels/seed0.safetensors")
    bank = detector.embed(dark[:20]) | {"label": np.zeros(20, np.int64)}
    save_tensors(folder / "banks/mine/normal/pixels/full/seed0.safetensors", bank)
    test = np.concatenate([dark[20:59], np.full((1, 8, 8, 3), 255, np.uint8)])
    save_array(folder / "images/mine/test.npy", test)
    score = plugins.build("scores", CONFIG["scores"]["knn1"])
    table = pd.DataFrame({"id": [f"{i}.png" for i in range(40)], "class": "normal"})
    table["is_anomaly"] = np.arange(40) == 39
    table["score"] = score(bank, detector.embed(test))
    save_table(folder / "scores/mine/normal/pixels/test/seed0.csv", table)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i, pixels in enumerate(test):
        Image.fromarray(pixels).save(pictures / f"{i}.png")
    return folder, table, pictures


def test_an_exported_method_gives_new_images_the_scores_of_the_workflow(results, tmp_path, capsys):
    folder, expected, pictures = results
    said = export(Run(CONFIG), "mine", "normal", "pixels", 0, tmp_path / "m", folder.parent)
    assert "39 held-out normal images" in said
    assert (
        main(["score", str(tmp_path / "m"), str(pictures), "--out", str(tmp_path / "s.csv")]) == 0
    )
    found = pd.read_csv(tmp_path / "s.csv").set_index("id").loc[expected["id"]]
    assert np.allclose(found["score"], expected["score"])
    assert found["anomalous"].iloc[39]
    assert found["share"].iloc[39] == pytest.approx(1 / 40)
    assert found["anomalous"].iloc[:39].sum() <= 0.05 * 40
    assert "images are above the threshold" in capsys.readouterr().out


def test_what_is_missing_is_named(results, tmp_path, capsys):
    folder, _, pictures = results
    with pytest.raises(ValueError, match=r"unknown entry of methods 'pixel'.*Did you mean"):
        export(Run(CONFIG), "mine", "normal", "pixel", 0, tmp_path / "m", folder.parent)
    with pytest.raises(ValueError, match=r"not finished: there is no .*seed1\.safetensors"):
        export(Run(CONFIG), "mine", "normal", "pixels", 1, tmp_path / "m", folder.parent)
    assert main(["score", str(tmp_path / "none"), str(pictures)]) == 1
    assert "make it with `nearnd export`" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "none"), str(tmp_path / "no")]) == 1
    assert "there is no" in capsys.readouterr().err


@pytest.mark.parametrize("n", [5, 19, 20, 99, 1000])
@pytest.mark.parametrize("quantile", [0.8, 0.95])
def test_new_normal_images_exceed_the_threshold_no_more_often_than_promised(n, quantile):
    """Exactly: among n + 1 exchangeable scores the new one has each rank with equal chance."""
    ranks = np.arange(1, n + 2)
    exceeds = [
        new > model_folder.threshold(np.delete(ranks, new - 1).astype(float), quantile)
        for new in ranks
    ]
    assert np.mean(exceeds) <= 1 - quantile + 1e-12
    if n >= 19:  # and it is not needlessly high
        assert np.mean(exceeds) > 1 - quantile - 1.01 / (n + 1)


def test_too_few_images_promise_nothing():
    assert model_folder.threshold(np.arange(18.0), 0.95) == math.inf
    assert model_folder.threshold(np.arange(19.0), 0.95) == 18
    with pytest.raises(ValueError, match=r"quantile is 1; it may be a number between 0 and 1"):
        model_folder.threshold(np.arange(5.0), 1)


def test_an_export_holds_no_path_of_the_machine(results, tmp_path):
    folder, *_ = results
    export(Run(CONFIG), "mine", "normal", "pixels", 0, tmp_path / "m", folder.parent)
    facts = json.loads((tmp_path / "m" / "model.json").read_text())
    assert str(tmp_path) not in json.dumps(facts)
    assert facts["size"] == 8
    assert facts["mode"] == "RGB"
