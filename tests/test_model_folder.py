"""A trained method taken out of the workflow: the same scores, whatever else lies there, and of no
other run."""

import json
import os
import shutil
import threading

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nearnd import plugins
from nearnd.cli import main
from nearnd.contracts import Images
from nearnd.files.arrays import load_rows, save_tensors
from nearnd.files.regular import sha256
from nearnd.files.tables import load_scores, load_table, save_images, save_scores
from nearnd.plan import lineage
from nearnd.plan.export import export
from nearnd.plan.run import Run
from nearnd.report import new_images

RNG = np.random.default_rng(0)
CONFIG = {
    "datasets": {"mine": {"kind": "image_folder", "path": "somewhere", "fit": "crop"}},
    "detectors": {"pixels": {"kind": "pixels"}},
    "banks": {"full": {"kind": "full"}},
    "scores": {
        "knn1": {"kind": "knn", "k": 1},
        "forest": {"kind": "isolation_forest"},
        "lof": {"kind": "lof"},
    },
    "methods": {
        "pixels": {"detector": "pixels", "bank": "full", "score": "knn1"},
        "forest": {"detector": "pixels", "bank": "full", "score": "forest"},
    },
}
TASK = ("mine", "normal", "pixels", 0)


@pytest.fixture
def results(tmp_path):
    """What a finished run leaves of two methods, with 39 held-out normal images and one anomaly."""
    folder = tmp_path / "results"
    detector = plugins.build("detectors", {"kind": "pixels"})
    dark = RNG.integers(0, 50, (60, 8, 8, 3)).astype(np.uint8)
    (folder / "detectors/any/any/pixels").mkdir(parents=True)
    detector.save(folder / "detectors/any/any/pixels/seed0.safetensors")
    bank = detector.embed(dark[:20]) | {"label": np.zeros(20, np.int64)}
    save_tensors(folder / "banks/mine/normal/pixels/full/seed0.safetensors", bank)
    test = np.concatenate([dark[20:59], np.full((1, 8, 8, 3), 255, np.uint8)])
    for split, pixels in {"train": dark[:20], "test": test}.items():
        ids = np.array([f"{i}.png" for i in range(len(pixels))])
        images = Images(pixels, np.zeros(len(pixels), np.int64), ids)
        save_images(folder / "images/mine", split, images, ["normal"])
    for method, seed in {"pixels": 3, "forest": 1234}.items():
        score = plugins.build("scores", CONFIG["scores"][CONFIG["methods"][method]["score"]])
        table = pd.DataFrame({"id": ids, "class": "normal", "is_anomaly": np.arange(40) == 39})
        table["score"] = score(bank, detector.embed(test), seed=seed)
        place = folder / f"scores/mine/normal/{method}/test/seed0"
        parts = lineage.parts(Run(CONFIG), "mine", method)
        files = {
            name: sha256(next(folder.glob(f"{name}s/**/*.safetensors")))
            for name in ("detector", "bank")
        }
        save_scores(f"{place}.csv", table, seed=seed, parts=parts, files=files)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i, pixels in enumerate(test):
        Image.fromarray(pixels).save(pictures / f"{i}.png")
    return folder, pictures


def exported(folder, method="pixels", config=CONFIG) -> str:
    task = ("mine", "normal", method, 0)
    return export(Run(config), *task, folder.parent / "m", folder.parent)


def scored(folder, pictures, *more, code=0) -> pd.DataFrame:
    model, out = str(folder.parent / "m"), str(folder.parent / "s.csv")
    assert main(["score", model, str(pictures), "--out", out, *more]) == code
    return pd.read_csv(out, keep_default_na=False, dtype=str).set_index("id")


@pytest.mark.parametrize("method", ["pixels", "forest"])
def test_an_exported_method_gives_new_images_the_scores_of_the_workflow(results, method, capsys):
    """Also one whose score draws at random: it draws as the run did."""
    folder, pictures = results
    exported(folder, method)
    expected = pd.read_csv(folder / f"scores/mine/normal/{method}/test/seed0.csv")
    found = scored(folder, pictures).loc[expected["id"]]
    assert (found["score"].astype(np.float32).to_numpy() == expected["score"].astype("f4")).all()
    assert found["anomalous"].iloc[39] == "True"
    assert float(found["p_value"].iloc[39]) == pytest.approx(1 / 40)
    assert (found["anomalous"].iloc[:39] == "True").sum() <= 0.05 * 40
    assert "images are anomalous" in capsys.readouterr().out


def test_a_held_out_image_is_as_unusual_as_its_rank_says(results):
    """Scores come back from the table as float32, so that an image equals itself."""
    folder, pictures = results
    exported(folder)
    found = scored(folder, pictures).drop("39.png").astype({"p_value": float, "score": float})
    found = found.sort_values("score", ascending=False)
    assert np.allclose(found["p_value"], np.arange(2, 41) / 40)


def test_what_is_missing_is_named_with_the_command_that_makes_it(results, tmp_path, capsys):
    folder, pictures = results
    with pytest.raises(ValueError, match=r"unknown entry of methods 'pixel'.*Did you mean"):
        exported(folder, "pixel")
    with pytest.raises(ValueError, match=r"unknown normal class 'good'; there is normal"):
        export(Run(CONFIG), "mine", "good", *TASK[2:], tmp_path / "m", tmp_path)
    with pytest.raises(ValueError, match=r"not finished: there is no .*seed1\.safetensors"):
        export(Run(CONFIG), *TASK[:3], 1, tmp_path / "m", tmp_path)
    shutil.rmtree(folder / "banks")
    with pytest.raises(ValueError, match=r"snakemake --cores all -- results/banks/mine/\S+$"):
        exported(folder)
    assert main(["score", str(tmp_path / "none"), str(pictures)]) == 1
    assert "make it with `nearnd fit` or `nearnd export`" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "none"), str(tmp_path / "no")]) == 1
    assert "make it with `nearnd fit` or `nearnd export`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "name", "changes"),
    [
        ("scores", "knn1", {"k": 2}),
        ("detectors", "pixels", {"size": 4}),
        ("datasets", "mine", {"path": "elsewhere"}),
        ("methods", "pixels", {"score": "lof"}),
    ],
)
def test_settings_of_another_run_are_refused(results, section, name, changes):
    other = CONFIG[section] | {name: CONFIG[section][name] | changes}
    with pytest.raises(ValueError, match=rf"other settings of .*{section}: {name}"):
        exported(results[0], config=CONFIG | {section: other})
    assert not (results[0].parent / "m/model.json").exists()


def test_a_label_is_no_setting(results):
    other = {"pixels": CONFIG["methods"]["pixels"] | {"label": "Pixels"}}
    assert "threshold" in exported(results[0], config=CONFIG | {"methods": other})


def test_a_bank_of_other_images_is_no_part_of_the_method(results):
    folder, _ = results
    bank = plugins.build("detectors", {"kind": "pixels"}).embed(np.full((9, 8, 8, 3), 99, np.uint8))
    save_tensors(folder / "banks/mine/normal/pixels/full/seed0.safetensors", bank)
    with pytest.raises(ValueError, match=r"scores.*was not made with .*banks.*as they are now"):
        exported(folder)


def test_files_that_differ_in_a_digit_from_those_of_the_run_are_refused(results):
    """The scores would hardly tell; the run says which files they were made with."""
    file = results[0] / "banks/mine/normal/pixels/full/seed0.safetensors"
    bank = load_rows(file)
    bank["features"][0, 0] += 1e-6
    save_tensors(file, bank)
    with pytest.raises(ValueError, match=r"scores.*was not made with .*banks.*as they are now"):
        exported(results[0])


@pytest.mark.parametrize("other", ["mine/normal/forest/test", "mine/other/pixels/test"])
def test_scores_of_another_task_or_method_are_not_taken_for_these(results, other):
    """Their tables look alike: each says whose it is."""
    place = results[0] / "scores/mine/normal/pixels/test/seed0.csv"
    there = results[0] / "scores" / other / "seed0.csv"
    table = load_table(place).assign(score=1.0)
    save_scores(there, table, seed=1, parts={}, files={})
    assert load_scores(there)[0]["score"].eq(1.0).all()
    shutil.copy(there, place)
    with pytest.raises(ValueError, match=r"pixels/test/seed0.csv is not the table"):
        load_scores(place)
    shutil.copy(there.with_suffix(".json"), place.with_suffix(".json"))
    with pytest.raises(ValueError, match=r"pixels/test/seed0.csv is not the table"):
        load_scores(place)


def test_an_export_says_what_it_is_and_holds_no_path_of_the_machine(results, tmp_path):
    said = exported(results[0])
    assert "with these 39" in said
    assert "in nine of ten cases" in said
    facts = json.loads((tmp_path / "m" / "model.json").read_text())
    assert str(tmp_path) not in json.dumps(facts)
    assert facts["images"].items() >= {"size": 8, "mode": "RGB", "fit": "crop"}.items()
    assert facts["training_images"] == 20
    assert facts.keys() >= {"version", "nearnd", "date", "code"}


def test_bad_pictures_are_rows_with_a_reason_and_the_others_are_scored(results, capsys):
    folder, pictures = results
    exported(folder)
    whole = (pictures / "0.png").read_bytes()
    (pictures / "cut.png").write_bytes(whole[: len(whole) // 2])
    (pictures / "empty.jpg").touch()
    (pictures / "text.gif").write_text("text")
    with open(os.fsencode(pictures) + b"/\xff\xfe.png", "wb") as file:
        file.write(whole)
    (pictures / "photo.heic").write_bytes(whole)
    found = scored(folder, pictures, code=3)
    assert len(found) == 44
    assert (found["remark"] != "").sum() == 3
    assert list(found.loc["empty.jpg"]) == ["", "", "", "the file is empty"]
    assert found.loc[r"\xff\xfe.png", "score"] == found.loc["0.png", "score"]
    said = capsys.readouterr().err
    assert "3 of 44 images could not be scored" in said
    assert "1 .heic" in said


def test_out_destroys_nothing(results, tmp_path, capsys):
    folder, pictures = results
    exported(folder)
    model, picture = str(tmp_path / "m"), pictures / "0.png"

    def score(out) -> int:
        return main(["score", model, str(picture), "--out", str(out)])

    (tmp_path / "link").symlink_to(tmp_path / "real.csv")
    for _ in range(2):  # a link that leads nowhere yet, and one to a table
        assert score(tmp_path / "link") == 0
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real.csv").read_text().startswith("id,score")
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    assert score(tmp_path / "pipe") == 0
    reader.join()
    assert read[0].startswith("id,score")
    assert (tmp_path / "pipe").is_fifo()
    before = picture.read_bytes()
    for out in (tmp_path, picture, tmp_path / "m/bank.safetensors", "/proc/x/s.csv"):
        assert score(out) == 1
        assert str(out) in capsys.readouterr().err
    assert picture.read_bytes() == before
    assert score(tmp_path / "s.csv") == 0


def test_a_full_disk_loses_no_scores(results, monkeypatch, capsys):
    exported(results[0])

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("nearnd.files.out.save_table", full)
    out = str(results[0].parent / "s.csv")
    assert main(["score", str(results[0].parent / "m"), str(results[1]), "--out", out]) == 1
    said = capsys.readouterr()
    assert "0.png," in said.out
    assert "the disk is full" in said.err


def test_too_few_held_out_images_are_said(results, capsys):
    folder, pictures = results
    exported(folder)
    scored(folder, pictures, "--alpha", "10")
    said = capsys.readouterr().out
    assert "0 of 40 images are anomalous" in said
    assert "no image can be above the threshold" in said
    assert "takes 99" in said
    scored(folder, pictures, "--alpha", "25")  # what is proposed
    assert "no image can" not in capsys.readouterr().out


def damages():
    facts = {"version", "detector", "score", "seed", "threads", "images", "held_out", "files"}
    for name in sorted(facts):
        yield f"no {name}", lambda f, name=name: f.pop(name)
        for value in (None, "x", 99, [], {}, [[1]], {"a": "b"}, {"kind": "../x"}, True, -1, "99.0"):
            yield f"{name}={value}", lambda f, n=name, v=value: f.update({n: v})
    yield "nan", lambda f: f.update(held_out=[float("nan")])
    yield "size", lambda f: f["images"].update(size="8")
    yield "huge", lambda f: f["images"].update(size=10**30)
    yield "keyword", lambda f: f["images"].update(path="x")
    yield "argument", lambda f: f["score"].update(nothing=1)
    yield "other file", lambda f: f["files"].update({"../m/bank.safetensors": ""})
    yield "code", lambda f: f.update(code=[])
    yield "unknown", lambda f: f.update(colour="red")
    yield "fewer names", lambda f: f["normals"].pop()
    for name, values in {
        "made_from": (None, 1, []),
        "map_scale": (None, 1, [1], [0, "x"], [0, float("nan")], {}),
        "map_share": (None, 0, 2, "x", float("nan")),
        "normals": (None, 1, [1], "x"),
    }.items():
        for value in values:
            yield f"{name}={value}", lambda f, n=name, v=value: f.update({n: v})


def test_a_damaged_model_folder_is_a_sentence_with_its_name(results, tmp_path, capsys):
    exported(results[0])
    file, picture = tmp_path / "m/model.json", results[1] / "0.png"
    whole = json.loads(file.read_text())
    for name, damage in damages():
        facts = json.loads(json.dumps(whole))
        damage(facts)
        if type(facts.get("seed")) is int and facts | {"seed": whole["seed"]} == whole:
            continue  # nothing is damaged
        file.write_text(json.dumps(facts))
        for command, images in (("score", picture), ("selfcheck", picture.parent)):
            assert main([command, str(tmp_path / "m"), str(images)]) == 1, name
            assert str(tmp_path / "m") in capsys.readouterr().err, name
        main(["info", str(tmp_path / "m")])  # a sentence, or what it can say
    for text in (b"", b"{", b"[" * 100_000, b"\xff", b"[]", b"null"):
        file.write_bytes(text)
        assert main(["score", str(tmp_path / "m"), str(picture)]) == 1
        assert "model.json" in capsys.readouterr().err
    file.write_text(json.dumps(whole))
    (tmp_path / "m/bank.safetensors").write_bytes(b"x")
    assert main(["score", str(tmp_path / "m"), str(picture)]) == 1
    assert "is not the file that was exported" in capsys.readouterr().err


def test_a_folder_may_be_called_as_an_onnx_file_is(results, tmp_path, capsys):
    exported(results[0])
    (tmp_path / "m").rename(tmp_path / "m.onnx")
    assert main(["score", str(tmp_path / "m.onnx"), str(results[1])]) == 0


@pytest.mark.parametrize(
    "text", ["a: [1\nb: {", "- a\n", "run: 5", "\xff", "methods: 5", "[" * 9999]
)
def test_a_config_that_cannot_be_read_is_a_sentence(tmp_path, text, capsys):
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="latin-1")
    for name in (file, tmp_path / "none.yaml", tmp_path):
        given = ["--configfile", str(name)]
        assert main(["export", *TASK[:3], str(tmp_path / "m"), *given]) == 1
        assert capsys.readouterr().err.startswith("nearnd: ")


def test_a_folder_that_is_none_is_a_sentence(results, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("nearnd.plan.given.run", lambda *_: Run(CONFIG))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["export", *TASK[:3], "file"]) == 1
    assert "file" in capsys.readouterr().err
    assert main(["export", *TASK[:3], "m"]) == 0
    assert capsys.readouterr().out.endswith("next: nearnd score m new_pictures --out scores.csv\n")


def test_stopping_is_no_traceback(results, monkeypatch, capsys):
    exported(results[0])
    for error, code in ((KeyboardInterrupt, 130), (MemoryError, 1), (ImportError, 1)):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(new_images, "score_images", fail)
        assert main(["score", str(results[0].parent / "m"), str(results[1])]) == code
        assert capsys.readouterr().err.startswith("nearnd: ")
