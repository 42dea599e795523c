"""A method in an ONNX file decides as its model folder does, and is scored with without torch."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from bricks import bricks
from PIL import Image
from test_onnx import field
from test_onnx import model as small_model

from nearnd import Detector, plugins
from nearnd.cli import main
from nearnd.contracts import Images
from nearnd.files.arrays import load_facts, load_rows, save_json, save_tensors
from nearnd.files.decode import decode, resize
from nearnd.files.onnx import refuse
from nearnd.files.regular import sha256
from nearnd.networks.backbone import create, describe, save_backbone
from nearnd.networks.transform import View, view
from nearnd.networks.viewed import Viewed
from nearnd.plan import export_onnx
from nearnd.plan.export_onnx import compared
from nearnd.plan.onnx_graph import graph_of
from nearnd.report import models
from nearnd.report.heat import scale_of
from nearnd.report.model_folder import BANK, DETECTOR, MODEL, NORMALS, SMALL, scorer
from nearnd.report.onnx_model import Graph

pytest.importorskip("onnxscript", reason="the extra onnx is not installed: pip install '.[onnx]'")
ort = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

SIDE, N = 48, 40
MIRROR = Path(os.environ.get("NEARND_MIRROR", ""))
WEIGHTS, CIFAR = MIRROR / "tf_efficientnet_lite0.in1k.safetensors", "cifar-10-binary.tar.gz"
HIGHEST = {"kind": "highest", "share": 0.01}
METHODS = {
    "patchcore": ({"kind": "patchcore", "dimension": 32, "share": 0.05, "resize": 56, "crop": 48},
                  HIGHEST),
    "tiled": ({"kind": "patchcore", "dimension": 32, "share": 0.05, "tile": 32}, HIGHEST),
    "subspace": ({"kind": "patch_subspace", "variance": 0.9}, {"kind": "highest"}),
    "dino": ({"kind": "anomaly_dino", "share": 0.2}, HIGHEST),
    "knn": ({"kind": "frozen"}, {"kind": "knn"}),
    "cosine": ({"kind": "frozen"}, {"kind": "knn", "distance": "cosine", "k": 3, "power": 1}),
    "gaussian": ({"kind": "frozen"}, {"kind": "gaussian"}),
    "power": ({"kind": "frozen"}, {"kind": "gaussian", "power": 0.5}),
}  # fmt: skip


def trained(folder, backbone, pixels, held_out, method, names=None) -> Path:
    """A model folder as `export` makes it."""
    detector, score = METHODS[method]
    fitted = plugins.build("detectors", detector)
    ids = np.array([f"{i}.png" for i in range(len(pixels))])
    normal = Images(pixels, np.zeros(len(pixels), np.int64), ids)
    fitted.fit(normal, backbone=backbone, seed=0)
    folder.mkdir(parents=True)
    fitted.save(folder / DETECTOR)
    files, bank = [DETECTOR], None
    if detector["kind"] == "frozen":
        bank = folder / BANK
        save_tensors(bank, fitted.embed(pixels))
        files.append(BANK)
    save_tensors(folder / NORMALS, {"pixels": resize(pixels, SMALL)})
    facts = {
        "version": 2, "nearnd": "0.2.0", "date": "2026-11-26", "detector": detector, "score": score,
        "training_images": len(pixels), "seed": 0, "threads": 1, "made_from": {"method": method},
        "images": {"size": pixels.shape[1], "mode": "RGB", "fit": "squash"},
        "normals": ids.tolist(), "held_out_names": names or [],
        "files": {name: sha256(folder / name) for name in [*files, NORMALS]},
    }  # fmt: skip
    found = scorer(facts, folder / DETECTOR, bank)(held_out)[0]
    if "map" in found:
        facts |= {"map_scale": scale_of(found["map"]),
                  "map_share": load_facts(folder / DETECTOR).get("map_share", 1.0)}  # fmt: skip
    save_json(folder / MODEL, facts | {"held_out": found["score"].tolist()})
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Bricks, a backbone with random weights, a model of each method, and two of them as ONNX."""
    root = tmp_path_factory.mktemp("onnx")
    bricks(root / "bricks", train=N + 20, test=40, side=SIDE)
    good = sorted((root / "bricks/train/good").glob("*.png"))
    pixels = decode([(file.name, file) for file in good], SIDE, "RGB")
    torch.manual_seed(0)
    name = "test_resnet"
    net = create({"model": name, "kwargs": {}})
    facts = describe(net, name, {}, [0.45, 0.4, 0.4], [0.2, 0.2, 0.22], None) | {
        "size": SIDE, "resize": SIDE
    }  # fmt: skip
    save_backbone(root / "backbone.safetensors", net.eval(), facts)
    for method in METHODS:
        names = [file.name for file in good[N:]]
        trained(root / method, root / "backbone.safetensors", pixels[:N], pixels[N:], method, names)
    for method, more in {"patchcore": [], "knn": ["--images", root / "bricks/train/good"]}.items():
        out = root / f"{method}.onnx"
        given = ["export", root / method, "--onnx", out, *more]
        assert main([str(word) for word in given]) == 0
    return root


def scores(root, model, *more) -> pd.DataFrame:
    out = root / "scores.csv"
    given = ["score", root / model, root / "bricks/test", "--out", out, "--alpha", "400", *more]
    assert main([str(word) for word in given]) == 0
    return pd.read_csv(out).set_index("id")


@pytest.mark.parametrize("method", ["patchcore", "knn"])
def test_the_file_decides_as_the_folder_and_draws_the_same(root, method, capsys, tmp_path):
    looks = {}
    for model in (method, f"{method}.onnx"):
        page, maps = tmp_path / "page.html", tmp_path / model
        table = scores(root, model, "--html", page, "--maps", maps)
        near = main(["explain", str(root / model), str(root / "bricks/train/good/000.png"),
                     "--out", str(tmp_path / "e.png")])  # fmt: skip
        said = capsys.readouterr().out
        assert near == 0
        pictures = [np.asarray(Image.open(file)) for file in sorted(maps.rglob("*.png"))]
        looks[model] = table, page.stat().st_size, pictures, said.partition("nearest")[2]
        assert main(["info", str(root / model)]) == 0
    (a, size, drawn, near), (b, other, drawn_too, near_too) = looks.values()
    assert np.allclose(a["score"], b["score"], rtol=1e-4)
    assert (a["anomalous"] == b["anomalous"]).all()
    assert a["anomalous"].any()
    assert (a["p_value"] == b["p_value"]).all()
    assert abs(size - other) < 0.02 * size
    assert len(drawn) == len(drawn_too) == (40 if method == "patchcore" else 0)
    for one, two in zip(drawn, drawn_too, strict=True):
        assert np.abs(one.astype(int) - two).max() <= 2
    assert near.replace(".onnx", "") == near_too
    assert ("0.png, " in near) == (method == "knn")


@pytest.mark.parametrize("method", METHODS)
def test_the_graph_gives_the_scores_of_the_method(root, method):
    facts = models.read(root / method)
    bank = root / method / BANK if BANK in facts["files"] else None
    files = sorted((root / "bricks/test").rglob("*.png"))
    pixels = decode([(file.name, file) for file in files], SIDE, "RGB")
    expected = scorer(facts, root / method / DETECTOR, bank)(pixels)[0]
    with torch.inference_mode():
        found = graph_of(facts, root / method / DETECTOR, bank).eval()(torch.from_numpy(pixels))
    held = facts["held_out"]
    assert compared(expected["score"], held, found["score"].numpy(), held) <= 1e-4
    assert ("map" in found) == ("map" in expected)
    if "map" in found:
        scale = np.abs(expected["map"]).max()
        assert np.abs(found["map"].numpy() - expected["map"]).max() <= 1e-4 * scale


def test_scoring_loads_no_torch_and_starts_in_a_second(root):
    picture = next((root / "bricks/test").rglob("*.png"))
    code = (
        "import sys, time\n"
        "from nearnd.cli import main\n"
        f"assert main(['score', {str(root / 'patchcore.onnx')!r}, {str(picture)!r}]) == 0\n"
        "assert not {'torch', 'timm', 'sklearn', 'scipy.stats'} & set(sys.modules)\n"
        "print('seconds', time.process_time())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 1.5  # 0.6 where it was written


def test_python_reads_it_too(root):
    picture = next((root / "bricks/test").rglob("*.png"))
    a, b = (Detector.load(root / name).score(picture) for name in ("knn", "knn.onnx"))
    assert np.allclose(a["score"], b["score"], rtol=1e-4)


@pytest.mark.parametrize("channels", [(3, 3), (1, 3), (3, 1)])
@pytest.mark.parametrize(
    ("side", "to", "crop"), [(48, 48, 40), (64, 73, 64), (300, 64, 64), (5, 32, 31), (37, 40, 40)]
)
def test_the_graph_sees_pixels_as_the_network_did(side, to, crop, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, channels[0]), np.uint8)
    pixels[1] = 255 * (pixels[1] > 128)
    how = View(to, crop, (0.4,) * channels[1], (0.2,) * channels[1])
    assert torch.equal(view(pixels, how), Viewed(how, side)(torch.from_numpy(pixels)))


@pytest.mark.parametrize(
    ("found", "words"),
    [([1, 2, 3.001], "differ by up to 0.0003"), ([1, 2, np.nan], "differ by up to nan"),
     ([1, 4.0001, 3], "1 of them are called otherwise")],
)  # fmt: skip
def test_a_file_that_decides_otherwise_is_not_written(found, words):
    scores = np.array([1, 3.9999 if found[1] > 2 else 2, 3], np.float32)
    held_out = np.append(np.linspace(0, 3, 29), 4).astype(np.float32)
    with pytest.raises(ValueError, match=words):
        compared(scores, held_out, np.array(found, np.float32), held_out)


def test_a_failed_check_leaves_what_was_there(root, tmp_path, monkeypatch, capsys):
    def bad(part) -> int:
        shutil.copy(root / "knn.onnx", part)  # of another method
        return 1

    out = tmp_path / "x.onnx"
    out.write_bytes(b"before")
    monkeypatch.setattr("nearnd.plan.export_onnx.write", lambda part, *_: bad(part))
    assert main(["export", str(root / "gaussian"), "--onnx", str(out)]) == 1
    assert "is not written" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]
    assert out.read_bytes() == b"before"


def test_what_cannot_be_exported_is_a_sentence(root, tmp_path, capsys):
    def fails(*given) -> str:
        assert main(["export", *map(str, given)]) == 1
        return capsys.readouterr().err

    out = tmp_path / "m.onnx"
    assert "may be the name of a file such as" in fails(root / "knn", "--onnx", tmp_path / "m.pt")
    assert "has no model.json" in fails(tmp_path, "--onnx", out)
    assert "a model folder and --onnx FILE" in fails("own", "normal")
    assert "which is no folder" in fails(root / "knn", "--onnx", out, "--images", out)
    lacks = fails(root / "knn", "--onnx", out, "--images", root / "bricks/test")
    assert "lacks held-out images" in lacks
    facts = json.loads((root / "knn" / MODEL).read_text())
    for stage, entry in (("detector", {"kind": "colour"}), ("score", {"kind": "lof"})):
        shutil.copytree(root / "knn", tmp_path / stage)
        if stage == "detector":
            plain = plugins.build("detectors", entry)
            plain.save(tmp_path / stage / DETECTOR)
            pixels = resize(load_rows(root / "knn" / NORMALS)["pixels"], SIDE)
            save_tensors(tmp_path / stage / BANK, plain.embed(pixels))
        files = {name: sha256(tmp_path / stage / name) for name in facts["files"]}
        save_json(tmp_path / stage / MODEL, facts | {stage: entry, "files": files})
        assert f"{entry['kind']} cannot be exported" in fails(tmp_path / stage, "--onnx", out)
    assert not out.exists()


def test_a_folder_that_scored_in_another_precision_is_said_to_be_so(
    root, tmp_path, capsys, monkeypatch
):
    """Its own scores are not those that the file is compared with."""
    exact = export_onnx._scores

    def coarse(facts, model, bank):
        once = 1.0 if facts["detector"].get("precision") == "fp32" else 1.1
        return lambda pixels: once * exact(facts, model, bank)(pixels)

    monkeypatch.setattr(export_onnx, "_scores", coarse)
    given = ["export", str(root / "knn"), "--onnx", str(tmp_path / "m.onnx")]
    assert main(given) == 1
    assert "have to be scored anew" in capsys.readouterr().err
    assert main([*given, "--images", str(root / "bricks/train/good")]) == 0
    assert "it scores in bfloat16 itself" in capsys.readouterr().out


def test_a_damaged_file_is_a_sentence_with_its_name(root, tmp_path, capsys):
    file, beside = tmp_path / "m.onnx", tmp_path / "m.onnx.json"
    whole = (root / "knn.onnx").read_bytes()
    facts = json.loads((root / "knn.onnx.json").read_text())
    picture = str(next((root / "bricks/test").rglob("*.png")))

    def fails() -> str:
        assert main(["score", str(file), picture]) == 1
        said = capsys.readouterr().err
        assert said.startswith("nearnd: ")
        assert str(file) in said
        return said

    assert "there is no" in fails()
    file.write_bytes(whole)
    assert "m.onnx.json: `nearnd export" in fails()
    for name, values in {
        "batch": (0, 65, "x", None), "threads": (0, 10**9), "sha256": ("", 1), "version": (2, None),
        "images": ({}, {"size": 10**9, "mode": "RGB"}, {"size": SIDE + 1, "mode": "RGB"}),
        "held_out": ([], ["x"]), "colour": ("red",), "normals": ([], ["a"] * 10**5),
        "detector": ({},), "score": ({"kind": 1},), "made_from": ([],),
    }.items():  # fmt: skip
        for value in values:
            save_json(beside, facts | {name: value})
            fails()
    for content in (b"", b"x", whole[: len(whole) // 2], whole[:-1], b"\x00" * 100, picture):
        file.write_bytes(content if isinstance(content, bytes) else Path(picture).read_bytes())
        save_json(beside, facts)
        assert "is not the file of which" in fails()
        save_json(beside, facts | {"sha256": sha256(file)})  # foreign, but what is announced
        fails()


def test_what_no_library_is_handed():
    refuse(small_model())
    node = field(4, b"If") + field(5, field(1, b"then_branch") + field(6, b""))
    elsewhere = field(8, b"w") + field(13, field(1, b"location"))
    long = field(1, b"x") * 10_000 + field(4, b"Run") + field(7, b"com.evil")
    graph = {
        "other file": field(7, field(1, field(4, b"Constant") + field(5, field(5, elsewhere)))),
        "has sparse": field(7, field(1, field(4, b"Constant") + field(5, field(22, b"")))),
        "10000 parts": field(7, field(1, long)),
        "has graphs inside": field(7, field(1, node)),
        "none of ONNX's own": field(7, field(1, field(4, b"Run") + field(7, b"com.evil"))),
        "another file": field(7, field(5, elsewhere)),
        "sparse": field(7, field(15, b"")),
        "functions": field(25, b"") + field(7, b""),
        "0 graphs": b"",
        "2 graphs": field(7, b"") * 2,
        "cut off": b"\x3a\xff",
    }
    for words, content in graph.items():
        with pytest.raises(ValueError, match=words):
            refuse(content)


@pytest.mark.skipif(
    not WEIGHTS.is_file() or not (MIRROR / CIFAR).is_file(),
    reason=f"no {WEIGHTS.name} and {CIFAR} in NEARND_MIRROR",
)
@pytest.mark.parametrize("method", ["patchcore", "gaussian"])
def test_real_images_through_a_real_network(tmp_path, method):
    """Frogs, 40 of them learnt from and 60 held out; 250 others and 250 images of other classes, or
    so many of both as NEARND_IMAGES says (9,900 are all that CIFAR-10 has to test)."""
    from safetensors.torch import load_file

    read = plugins.build("datasets", {"kind": "cifar10"}).read
    images = read({CIFAR: MIRROR / CIFAR})[0]["test"]
    frog = np.flatnonzero(images.labels == 6)
    count = int(os.environ.get("NEARND_IMAGES", 500))
    own = frog[: 100 + min(count // 2, 900)]
    other = np.flatnonzero(images.labels != 6)[: count - len(own) + 100]
    pixels = resize(images.pixels[np.concatenate([own, other])], 96)
    name = "tf_efficientnet_lite0"
    net = create({"model": name, "kwargs": {}}, load_file(WEIGHTS))
    facts = describe(net, name, {}, 0.5, 0.5) | {"size": 96, "resize": 96}
    save_backbone(tmp_path / "b.safetensors", net.eval(), facts)
    for i, image in enumerate(pixels[40:100]):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    names = [f"{i}.png" for i in range(60)]
    detector, score = METHODS[method]
    METHODS["real"] = {k: v for k, v in detector.items() if k not in ("resize", "crop")}, score
    trained(tmp_path / "m", tmp_path / "b.safetensors", pixels[:40], pixels[40:100], "real", names)
    file = tmp_path / "m.onnx"
    given = ["export", tmp_path / "m", "--onnx", file, "--images", tmp_path]
    assert main([str(word) for word in given]) == 0
    facts = models.read(tmp_path / "m")
    facts["detector"] |= {"precision": "fp32"}
    bank = tmp_path / "m" / BANK if BANK in facts["files"] else None
    exact = scorer(facts, tmp_path / "m" / DETECTOR, bank)
    exact, held_out = (exact(some)[0]["score"] for some in (pixels[100:], pixels[40:100]))
    onnx = models.read(file)
    found = Graph(file, onnx)(pixels[100:])[0]["score"]
    assert len(found) == count
    assert compared(exact, held_out, found, onnx["held_out"]) <= 1e-4  # and no flag flips
