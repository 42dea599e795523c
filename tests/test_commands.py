"""Anybody's folder from the command line and from Python: check, fit, score, explain, info."""

import argparse
import base64
import json
import re
import shutil
import subprocess
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from toy import ROOT

import nearnd
from nearnd import Detector
from nearnd.cli import COMMANDS, main
from nearnd.commands.fit import METHOD
from nearnd.plan.select import candidates
from nearnd.report.drawn_defects import DEFECTS, drawn
from nearnd.report.heat import WIDEST, overlay, picture, place, scale_of
from nearnd.report.selfcheck import TIE, aurocs, best

RNG = np.random.default_rng(0)


def photograph(folder, name, pixels):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def stripes(n, side=40, random=RNG):
    """Images of one kind: even, with a faint slope and noise, uint8 (n, side, side, 3)."""
    slope = random.uniform(-1, 1, (n, 1, 1, 1)) * np.arange(side)[:, None, None] / side * 20
    return np.clip(120 + slope + random.normal(0, 6, (n, side, side, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with 60 normal images, one that is no image, and what `fit` makes of it."""
    root = tmp_path_factory.mktemp("own")
    for i, pixels in enumerate(stripes(60)):
        photograph(root / "normals", f"{i:02d}.png", pixels)
    given = ["fit", root / "normals", root / "model", "--method", "colour", "--cores", "1"]
    assert main([str(word) for word in [*given, "--size", "40"]]) == 0
    return root


@pytest.fixture
def new(tmp_path):
    """Twelve normal images, four red ones, a broken file; two of a name that needs care."""
    for i, pixels in enumerate(stripes(12)):
        photograph(tmp_path / "new", f"good{i}.png", pixels)
    for i, pixels in enumerate(stripes(4)):
        pixels[..., 1:] //= 3
        photograph(
            tmp_path / "new",
            f'red{i}, "<script>alert(1)</script>"'.replace("/", "") + ".png",
            pixels,
        )
    (tmp_path / "new/broken.png").write_bytes(b"no picture")
    return tmp_path / "new"


def test_fit_makes_a_model_that_score_and_python_agree_on(model, new, tmp_path, capsys):
    out = tmp_path / "s.csv"
    assert main(["score", str(model / "model"), str(new), "--out", str(out), "--alpha", "77"]) == 3
    said = capsys.readouterr()
    assert "could not be scored; the column remark says why" in said.err
    table = pd.read_csv(out, keep_default_na=False).set_index("id")
    red = table.index.str.startswith("red")
    assert (table["anomalous"][red] == "True").all()
    assert np.allclose(table["p_value"][red].astype(float), 1 / 13)  # 12 held out
    assert table.loc["broken.png", "remark"] == "not an image that can be read"
    assert table.loc["broken.png", "score"] == ""
    detector = Detector.load(model / "model")
    found = detector.score(new, alpha=77).set_index("id")
    good = table.index != "broken.png"
    written = table["score"][good].astype(float).to_numpy()
    assert np.allclose(found["score"][good].to_numpy(), written, rtol=1e-6)
    assert (found["anomalous"][good].astype(str) == table["anomalous"][good]).all()
    assert found["anomalous"].isna().sum() == 1


def test_a_second_fit_goes_on_with_what_is_there(model, capfd):
    before = (model / "model/model.json").read_text()
    given = ["fit", model / "normals", model / "model", "--method", "colour", "--size", "40"]
    assert main([str(word) for word in given]) == 0
    assert "Nothing to be done" in capfd.readouterr().err
    assert json.loads((model / "model/model.json").read_text()) == json.loads(before)


def test_python_takes_paths_pictures_and_arrays(model, new):
    detector = Detector.load(model / "model")
    file = new / "good0.png"
    pixels = np.asarray(Image.open(file))
    expected = detector.score(file)["score"].item()
    for images in (pixels, [pixels], pixels[None], Image.open(file), str(file), [str(file)]):
        assert detector.score(images)["score"].item() == expected
    grey = detector.score([pixels[..., 0], pixels[..., :1]])["score"]
    assert grey[0] == grey[1] != expected
    assert detector.facts["training_images"] == 48
    for wrong in (pixels / 255, pixels[..., :2], 5, [None], np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises(ValueError, match="image 0 is"):
            detector.score(wrong)
    with pytest.raises(ValueError, match="fdr is 2"):
        detector.score(file, fdr=2)
    with pytest.raises(ValueError, match="no images in"):
        detector.score(model / "model")
    with pytest.raises(ValueError, match="there is no nowhere"):
        detector.score("nowhere")
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        nearnd.Nothing  # noqa: B018


def test_a_folder_of_maps_is_named_only_if_there_are_maps(model, new, tmp_path, capsys):
    maps = tmp_path / "places"
    assert main(["score", str(model / "model"), str(new), "--maps", str(maps)]) == 3
    said = capsys.readouterr()
    assert "this method has no maps" in said.err
    assert "places" not in said.out
    assert not maps.exists()


def test_the_page_is_one_file_that_asks_for_nothing(model, new, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["score", str(model / "model"), str(new), "--html", str(out)]) == 3
    text = out.read_text()
    assert "<script>alert" not in text
    assert not re.search(r"(?:src|href)=\"?(?!data:)|https?://|@import", text.replace("src = ", ""))
    data = json.loads(re.search(r'(?s)<script id="data"[^>]*>(.*?)</script>', text)[1])
    p = [image["p_value"] for image in data["images"]]
    assert p[-1] is None  # the broken one is last
    assert p[:-1] == sorted(p[:-1])
    assert all(image["id"].startswith("red") for image in data["images"][:4])
    for image in data["images"][:-1]:
        shown = Image.open(BytesIO(base64.b64decode(image["picture"])))
        assert shown.size == (96, 96)
        assert len(image["near"]) == 3
        assert all(data["normals"][i]["id"].endswith(".png") for i in image["near"])
    assert data["least"] == pytest.approx(1 / 13)
    assert len(text) < 17 * 1e4  # 5 MB for 500 images


@pytest.mark.parametrize(
    "given", [[], ["--fdr", "0.01"], ["--fdr", "0.9"], ["--alpha", "800"], ["--alpha", "76.9"],
              ["--alpha", "400", "--delta", "0.1"]],
)  # fmt: skip
def test_the_page_starts_with_the_decision_of_the_list(model, new, tmp_path, given):
    out, page = tmp_path / "scores.csv", tmp_path / "page.html"
    command = ["score", model / "model", new, "--out", out, "--html", page, *given]
    assert main([str(word) for word in command]) == 3
    data = json.loads(re.search(r'(?s)<script id="data"[^>]*>(.*?)</script>', page.read_text())[1])
    called = [
        image["id"]
        for image in data["images"]
        if image["p_value"] is not None and image["p_value"] <= data["alpha"] / 1000 + 1e-12
    ]  # as the page's script does
    table = pd.read_csv(out)
    assert set(called) == set(table["id"][table["anomalous"].eq(True)])
    assert data["least"] <= table["p_value"].min() + 1e-9


def test_all_files_of_a_model_are_for_the_same_readers(model):
    assert len({file.stat().st_mode for file in (model / "model").iterdir()}) == 1


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here (apt install chromium)")
def test_the_page_in_a_browser(model, new, tmp_path):
    """Chromium draws the cards, the most unusual first, and flags them by the slider."""
    out = tmp_path / "page.html"
    given = ["score", model / "model", new, "--html", out, "--alpha", "80"]
    assert main([str(word) for word in given]) == 3
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    found = subprocess.run([*command, out.as_uri()], capture_output=True, text=True, timeout=120)
    cards = re.findall(r'<li[^>]*?(?:class="(\w*)")?[^>]*>', found.stdout.split("<ol")[1])
    assert len(cards) == 16
    assert all("flag" in card for card in re.findall(r"<li[^>]*>", found.stdout)[:4])
    assert "80: " in found.stdout
    assert re.search(r"80: \d+ of 16 images", found.stdout)  # of those with a score, as above
    assert found.stdout.count("<img") == 16 * 4


def test_explain_says_why(model, new, tmp_path, capsys):
    red = next(new.glob("red*"))
    out = tmp_path / "e.png"
    assert main(["explain", str(model / "model"), str(red), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "0 of 12 held-out normal images score as high" in said
    assert "the least that so many held-out images allow" in said
    assert len(re.search("nearest normal images: (.*)", said)[1].split(", ")) == 3
    assert Image.open(out).size[0] > 1000  # four panels
    assert main(["explain", str(model / "model"), str(new / "broken.png"), "--out", str(out)]) == 1
    assert "broken.png: not an image" in capsys.readouterr().err
    assert main(["explain", str(model / "model"), str(red), "--out", str(red)]) == 1
    assert "is one of the files that are read" in capsys.readouterr().err
    other = new / "good1.png"
    before = other.read_bytes()
    assert main(["explain", str(model / "model"), str(red), "--out", str(other)]) == 1
    assert other.read_bytes() == before  # no picture of the user's is replaced
    assert main(["explain", str(model / "model"), str(red), "--out", str(tmp_path / "e.jpg")]) == 1
    assert "the name of a PNG" in capsys.readouterr().err
    for _ in range(2):  # what it wrote itself may be replaced
        own = str(new / "explanation.png")
        assert main(["explain", str(model / "model"), str(red), "--out", own]) == 0


def test_info_says_what_it_is(model, capsys):
    assert main(["info", str(model / "model")]) == 0
    said = capsys.readouterr().out
    for words in (
        "colour (colour, gaussian)",
        "48 normal ones",
        "12 held out",
        "format 2",
        "0.0769",
    ):
        assert words in said


def test_select_takes_the_simplest_of_the_best_and_reads_no_anomaly(model, tmp_path, capsys):
    for i, pixels in enumerate(stripes(60)):
        photograph(tmp_path / "f" / "train" / "good", f"{i}.png", pixels)
    for i, pixels in enumerate(stripes(12)):
        photograph(tmp_path / "f" / "test" / "good", f"{i}.png", pixels)
    photograph(tmp_path / "f" / "test" / "red", "r.png", np.full((40, 40, 3), [255, 0, 0], "uint8"))
    given = ["select", tmp_path / "f", tmp_path / "m", "--methods", "colour", "pixels"]
    assert main([str(word) for word in [*given, "--size", "40", "--cores", "1"]]) == 0
    said = capsys.readouterr().out
    rows = dict(re.findall(r"(?m)^\| (\w+) +\| +([\d.]+) \|", said))
    assert set(rows) == {"colour", "pixels"}
    means = {name: float(value) for name, value in rows.items()}
    expected = "colour" if means["colour"] >= means["pixels"] - 100 * TIE else "pixels"
    assert f"{expected} is taken" in said
    facts = json.loads((tmp_path / "m/model.json").read_text())
    assert facts["made_from"]["method"] == expected
    assert len(facts["held_out"]) == 12  # without the red one


def test_the_choice_is_the_first_within_a_point_of_the_best():
    kinds = ["a", "b"]
    of = {"simple": 0.80, "less": 0.811, "best": 0.82}
    assert best({m: dict.fromkeys(kinds, v) for m, v in of.items()}) == "less"
    assert best({m: dict.fromkeys(kinds, v) for m, v in {**of, "simple": 0.81}.items()}) == "simple"
    assert best({"a": {"x": 0.9, "y": 0.5}, "b": {"x": 0.75, "y": 0.75}}) == "b"  # the mean counts
    held, found = np.array([1.0, 2, 2, 3]), {"x": np.array([2.0, 4]), "y": np.array([0.0])}
    assert aurocs(held, found) == {"x": (2 / 4 + 1) / 2, "y": 0}
    assert candidates()[1] == METHOD  # the simplest with a network is what `fit` takes


@pytest.mark.parametrize("command", ["fit", "select", "check"])
def test_too_few_pictures_are_refused_before_any_work(command, tmp_path, capsys):
    """All layouts: one folder, train/ and test/."""
    for i, pixels in enumerate(stripes(9)):
        photograph(tmp_path / "flat", f"{i}.png", pixels)
        photograph(tmp_path / "split" / "train" / "good", f"{i}.png", pixels)
        photograph(tmp_path / "split" / "train" / "good", f"{i}_.png", pixels)
        photograph(tmp_path / "few" / "train" / "good", f"{i % 7}.png", pixels)
    for name in ("split", "few"):
        photograph(tmp_path / name / "test" / "good", "a.png", stripes(1)[0])
    for name, words in {
        "flat": "has 9 normal images, at least 12 are needed. Of fewer than 10 to learn from",
        "split": "has 1 normal images in test/, at least 2 are needed there",
        "few": "has 7 normal images in train/, at least 10 are needed there",
    }.items():
        more = [] if command == "check" else [str(tmp_path / "m")]
        assert main([command, str(tmp_path / name), *more]) == 1
        said = capsys.readouterr()
        assert words in said.err + said.out
        assert "500 false alarms in 1,000; the usual 50 take 93 images" in said.err + said.out
    assert not (tmp_path / "m.work").exists()


def test_selfcheck_finds_what_can_be_found(model, tmp_path, capsys):
    """Colour statistics see a blur of this noise, and no piece that is put down elsewhere."""
    given = ["selfcheck", str(model / "model"), str(model / "normals"), "--alpha", "77"]
    assert main(given) == 0
    said = capsys.readouterr()
    rows = dict(re.findall(r"(?m)^\| ([a-z ]+?) +\| (\d+) of 12 ", said.out))
    assert set(rows) == {"as they are", *DEFECTS}
    assert rows["as they are"] == "0"  # of the highest p is 2 of 13, as it stands twice
    assert rows["blurred"] == "12"
    assert int(rows["pasted piece"]) <= 3
    assert "flatters" not in said.err
    photograph(tmp_path, "a.png", stripes(1)[0])
    assert main(["selfcheck", str(model / "model"), str(tmp_path)]) == 0
    assert "none of these was held out" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(DEFECTS))
@pytest.mark.parametrize("shape", [(40, 40, 3), (24, 24, 1), (3, 3, 1)])
def test_a_drawn_defect_changes_some_of_the_picture_and_depends_on_its_seed(name, shape):
    pixels = RNG.integers(50, 200, (6, *shape)).astype(np.uint8)
    found = drawn(name, pixels)
    assert found.shape == pixels.shape
    assert found.dtype == np.uint8
    assert (found == drawn(name, pixels)).all()
    if shape[0] < 10:
        return  # no room for a defect, but no error either
    changed = (found != pixels).any(axis=(1, 2, 3))
    assert changed.sum() >= 3  # a piece may be put down on itself, and is small in small images
    if name != "blurred":
        assert (found != drawn(name, pixels, seed=1)).any()
    area = (found != pixels).any(axis=3).mean()
    low, high = {
        "scratch": (0.002, 0.05),
        "blot": (0.001, 0.04),
        "pasted piece": (0.0005, 0.16),
    }.get(name, (0.5, 1))
    assert low < area <= high


def test_check_names_what_is_odd(tmp_path, capsys):
    folder = tmp_path / "f"
    for i, pixels in enumerate(stripes(40)):
        photograph(folder, f"a{i:02d}.png", pixels)
    photograph(folder, "copy.png", np.asarray(Image.open(folder / "a03.png")))
    photograph(folder, "plain.png", np.full((40, 40, 3), 120, np.uint8))
    photograph(folder, "odd.png", np.full((40, 90, 3), [250, 0, 0], np.uint8))
    (folder / "broken.jpg").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    assert main(["check", str(folder)]) == 0
    lines = capsys.readouterr().out
    for words in (
        "44 images", "left out, as their names are not those of images: 1 .txt",
        "cannot be read: 1: broken.jpg (not an image", "40 to 90 wide, 40 to 40 high",
        "1 are not square (up to 2.2 to 1)", "smaller than 64 pixels", "copies: 1: copy.png of a03",
        "of one colour: 2", "unlike all others: 1: odd.png", "9 held out", "--alpha 100 or more",
    ):  # fmt: skip
        assert words in lines
    assert "two groups" not in lines


def test_check_counts_the_held_out_images_that_can_be_read(tmp_path, capsys):
    for i, pixels in enumerate(stripes(87)):
        photograph(tmp_path, f"{i}.png", pixels)
    for i in range(3):
        (tmp_path / f"broken{i}.png").write_bytes(b"x")
    assert main(["check", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "17 held out" in said  # as `fit` does it: 87 - 70
    assert "--alpha 56 or more" in said


def test_check_sees_two_kinds_and_is_silent_on_one(tmp_path, capsys):
    for i, pixels in enumerate(
        stripes(60, random=np.random.default_rng(0))
    ):  # 1 draw in 20 differs
        photograph(tmp_path / "one", f"{i}.png", pixels)
        photograph(tmp_path / "two", f"{i}.png", pixels if i % 5 else 255 - pixels // 2)
    assert main(["check", str(tmp_path / "one")]) == 0
    assert "normal too?" not in capsys.readouterr().out
    assert main(["check", str(tmp_path / "two")]) == 0
    assert "two groups, of 48 and 12" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "none")]) == 1
    assert "is no folder of images" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert main(["check", str(tmp_path / "none")]) == 1
    assert "no images in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--method", "own_patchcor"], "Did you mean 'own_patchcore'"),
        (["--normal", "good"], "unknown normal class 'good'"),
        (["--size", "0"], "datasets: own"),
        (["--mirrors", "nowhere"], "mirrors: there is no folder nowhere"),
        (["--cores", "0"], "cores is 0; it may be all or a whole number from 1"),
        (["--cores", "half"], "cores is half"),
        (["--method", "own_patchcore", "--tile", "225"], "--tile is 225; it may be"),
        (["--method", "own_patchcore", "--tile", "0"], "--tile is 0; it may be"),
        (["--tile", "100"], "own_gaussian sees a picture as a whole"),
    ],
)
def test_a_fit_that_cannot_be_is_a_sentence(model, tmp_path, capfd, more, words):
    given = ["fit", model / "normals", tmp_path / "m", *more]
    assert main([str(word) for word in given]) == 1
    assert words in capfd.readouterr().err
    assert not (tmp_path / "m").exists()


def test_several_classes_need_the_word_which_is_normal(tmp_path, capsys):
    for name in ("a", "b"):
        for i, pixels in enumerate(stripes(3)):
            photograph(tmp_path / "f" / name, f"{i}.png", pixels)
    assert main(["fit", str(tmp_path / "f"), str(tmp_path / "m")]) == 1
    assert "classes a, b: which one is normal? --normal NAME" in capsys.readouterr().err
    assert main(["fit", str(tmp_path / "no"), str(tmp_path / "m")]) == 1
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(("wide", "high"), [(3000, 2000), (500, 2400), (200, 100)])
def test_maps_of_large_photographs_stay_small(wide, high, tmp_path):
    photograph(tmp_path, "a.png", np.full((high, wide, 3), 90, np.uint8))
    shown = picture(tmp_path / "a.png", WIDEST)
    assert max(shown.shape) == min(WIDEST, max(wide, high))
    assert shown.shape[0] / shown.shape[1] == pytest.approx(high / wide, rel=0.01)
    assert picture(tmp_path / "a.png").shape == (high, wide, 3)


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_a_map_lies_where_its_picture_is(fit):
    """The hottest place of the map is that of the mark in a picture that is not square."""
    width, height = 120, 60
    x, y = 75, 20  # in the middle square, which crop alone sees
    side = {"squash": (width, height), "crop": (height, height), "pad": (width, width)}[fit]
    left, top = (width - side[0]) / 2, (height - side[1]) / 2
    where = np.zeros((30, 30), np.float32)
    where[int(30 * (y - top) / side[1]), int(30 * (x - left) / side[0])] = 1
    found = place(where, width, height, 1.0, fit)
    assert found.shape == (height, width)
    hottest = np.unravel_index(np.nanargmax(found), found.shape)
    assert np.abs(np.subtract(hottest, (y, x))).max() <= 4
    assert np.isnan(found).any() == (fit == "crop")
    half = place(where, width, height, 0.5, fit)
    assert np.isnan(half).mean() >= 0.5
    drawn = overlay(np.full((height, width, 1), 200, np.uint8), where, (0, 1e-9), 1.0, fit)
    assert drawn.shape == (height, width, 3)
    assert drawn[hottest][0] > drawn[hottest][2]  # the last colour is yellow, the first is violet


def test_the_last_colour_is_above_all_normal_maps():
    maps = RNG.random((5, 14, 14)).astype(np.float32)
    low, high = scale_of(maps)
    shown = [place(one, 224, 224, 1.0, "squash") for one in maps]
    assert high == np.max(shown)
    assert low == np.median(shown)


def test_every_option_has_its_help_and_the_readme_every_command():
    readme = (ROOT / "README.md").read_text()
    for name, command in COMMANDS.items():
        assert re.search(rf"nearnd {name}\b", readme), name
        parser = argparse.ArgumentParser()
        command.add(parser)
        assert all(action.help for action in parser._actions), name
        parser.format_help()  # a stray percent sign would fail here
