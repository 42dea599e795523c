"""Another person's model folder with a damaged header, json or tensor: scored or refused."""

import copy
import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from _fuzz import inputs
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.files import arrays
from nearnd.networks.backbone import create, describe, save_backbone
from nearnd.report import model_folder, new_images
from nearnd.report.conformal import Decision

RNG = np.random.default_rng(0)
VIT = {
    "model": "vit_tiny_patch16_224",
    "kwargs": {"img_size": 8, "patch_size": 4, "in_chans": 1, "embed_dim": 8, "depth": 1,
               "num_heads": 2},
}  # fmt: skip
CNN = {
    "model": "resnet10t",
    "kwargs": {"in_chans": 1, "channels": [8, 8, 8, 8], "layers": [1, 1, 1, 1]},
}
DIGITS = Images(RNG.integers(0, 256, (12, 8, 8, 1), np.uint8), np.arange(12) % 2, np.arange(12))
KNN, LOGIT = {"kind": "knn", "k": 1}, {"kind": "head"}
SHORT = {"epochs": 1, "batch": 4}
SMALL = {"widths": [4, 4], "hidden": 4, "code": 16}
METHODS = {
    "pixels": ({"kind": "pixels"}, KNN, None), "frozen": ({"kind": "frozen"}, KNN, VIT),
    "binary": ({"kind": "binary", **SHORT}, LOGIT, VIT),
    "exposed": ({"kind": "exposed", **SHORT, **SMALL}, LOGIT, None),
    "exposed_pretrained": ({"kind": "exposed_pretrained", "code": 4, **SHORT}, LOGIT, VIT),
    "deep_svdd": ({"kind": "deep_svdd", "ae_epochs": 0, **SHORT, **SMALL}, LOGIT, None),
    "classifier": ({"kind": "classifier", "depth": 10, "width": 1, **SHORT}, {"kind": "msp"}, None),
    "patchcore": ({"kind": "patchcore", "dimension": 8, "layers": ["layer1"]},
                  {"kind": "highest"}, CNN),
    "transformaly": ({"kind": "transformaly", **SHORT}, KNN, VIT),
}  # fmt: skip


def digest(file) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def sign(folder):
    """model.json states the digests of the files, as whoever changed them would."""
    facts = json.loads((folder / "model.json").read_text())
    facts["files"] = {name: digest(folder / name) for name in facts["files"]}
    (folder / "model.json").write_text(json.dumps(facts))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A good folder of every method."""
    root = tmp_path_factory.mktemp("models")
    for name, (detector, score, network) in METHODS.items():
        folder = root / name
        folder.mkdir()
        given_ = {"seed": 0, "folder": None, "outliers": DIGITS.pixels[::-1].copy()}
        if network:
            torch.manual_seed(0)
            model = create(network)
            facts = describe(model, *network.values(), 0.5, 0.5, resize=32 if network is CNN else 8)
            facts["size"] = 32 if network is CNN else 8
            save_backbone(root / "backbone", model, facts)
            given_["backbone"] = root / "backbone"
        fitted = plugins.build("detectors", detector)
        fitted.fit(DIGITS, **given_)
        fitted.save(folder / "detector.safetensors")
        files = ["detector.safetensors"]
        if plugins.constant("scores", score["kind"], "BANK", True):
            bank = fitted.embed(DIGITS.pixels) | {"label": np.zeros(12, np.int64)}
            arrays.save_tensors(folder / "bank.safetensors", bank)
            files.append("bank.safetensors")
        arrays.save_tensors(folder / "normals.safetensors", {"pixels": DIGITS.pixels})
        files.append("normals.safetensors")
        (folder / "model.json").write_text(json.dumps({
            "version": model_folder.VERSION, "detector": detector, "score": score, "seed": 0,
            "threads": 1, "images": {"size": 8, "mode": "L"}, "held_out": [0.0, 0.5, 1.0],
            "files": dict.fromkeys(files, ""), "map_scale": [0.0, 1.0], "map_share": 0.5,
            "normals": [str(i) for i in range(12)],
        }))  # fmt: skip
        sign(folder)
        Image.fromarray(DIGITS.pixels[0, ..., 0]).save(root / "it.png")
        model_folder.read(folder)
        assert scored(folder, root / "it.png") is not None
    return root


def scored(folder, picture):
    """The table, or None where the folder was refused in a sentence that names it."""
    try:
        facts = model_folder.read(folder)
        model = new_images.opened(folder, facts)
        return new_images.score_images(model, [("it.png", picture)], Decision(500), look=True)[0]
    except ValueError as error:
        text = str(error)
    assert str(folder) in text, text
    assert "Traceback" not in text
    assert "\n" not in text.strip(), text
    assert len(text) < 1500, text
    return None


ODD = st.sampled_from([
    None, True, False, 0, 1, -1, 2, 3, 7, 9, 10**6, 10**30, 0.5, 1e300, float("nan"), float("inf"),
    "", "x", "a/b", "../up", "hf-hub:a/b", "évil", "x" * 5000, [], [1], [[1]], [None], ["x"], {},
    {"a": 1}, {"kind": "x"}, [1] * 500,
],).map(copy.deepcopy)  # fmt: skip


def places(tree, at=()):
    """All paths into nested dicts and lists."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in pairs:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


@st.composite
def spoiled(draw, facts):
    """The facts with a value replaced, left out, taken from elsewhere, or added."""
    facts = copy.deepcopy(facts)
    for _ in range(draw(st.integers(1, 2))):
        every = list(places(facts))
        if not every:
            return facts
        *above, last = draw(st.sampled_from(every))
        parent = facts
        for key in above:
            parent = parent[key]
        how = draw(st.sampled_from(["odd", "odd", "drop", "swap", "add"]))
        if how == "odd":
            parent[last] = draw(ODD)
        elif how == "drop":
            del parent[last]
        elif how == "swap":
            *others, key = draw(st.sampled_from(every))
            value = facts
            for step in (*others, key):
                value = value[step] if not isinstance(value, dict) or step in value else None
                if not isinstance(value, dict | list):
                    break
            parent[last] = copy.deepcopy(value)
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["checkpoint_path", "cache_dir", "depth", "x"]))] = draw(
                ODD
            )
    return facts


def header(file) -> tuple[dict, dict]:
    from safetensors import safe_open

    with safe_open(file, "np") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return tensors, json.loads(opened.metadata()["nearnd"])


def write(file, tensors, facts):
    from safetensors.numpy import save_file

    save_file(tensors, file, {"nearnd": facts if isinstance(facts, str) else json.dumps(facts)})


@st.composite
def hurt(draw, tensors):
    """The tensors with one of another type or shape, with odd numbers, missing or too much."""
    tensors = {name: t.copy() for name, t in tensors.items()}
    name = draw(st.sampled_from([*sorted(tensors), "new"]))
    t = tensors.get(name, np.zeros(3, np.float32))
    how = draw(st.sampled_from(["nan", "huge", "kind", "shape", "drop", "rows", "empty", "rename"]))
    if how == "nan" and t.dtype.kind == "f" and t.size:
        t.flat[draw(st.integers(0, t.size - 1))] = draw(st.sampled_from([np.nan, np.inf]))
    elif how == "huge" and t.dtype.kind == "f":
        t = np.full_like(t, 3e38)
    elif how == "kind":
        t = t.astype(draw(st.sampled_from(["f8", "f2", "i8", "u1", "?", "i2"])))
    elif how == "shape":
        t = draw(st.sampled_from([t[None], t.reshape(-1), t.T]))
    elif how == "rows":
        t = np.concatenate([t, t]) if t.ndim else t[None]
    elif how == "empty":
        t = t[:0] if t.ndim else t[None][:0]
    tensors[name] = np.ascontiguousarray(t)
    if how in ("drop", "rename"):
        t = tensors.pop(name)
    if how == "rename":
        tensors[name + "_"] = t
    return tensors


@inputs(200)
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_model_folder_of_any_headers_json_and_tensors(models, tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(METHODS)))
    folder = tmp_path_factory.getbasetemp() / "spoiled"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(models / name, folder)
    what = data.draw(st.sampled_from(["header", "header", "tensors", "json"]))
    if what == "json":
        facts = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(data.draw(spoiled(facts))))
    else:
        file = data.draw(st.sampled_from(sorted(folder.glob("*.safetensors"))))
        tensors, facts = header(file)
        if what == "header":
            write(file, tensors, data.draw(spoiled(facts)))
        else:
            write(file, data.draw(hurt(tensors)), facts)
        sign(folder)
    scored(folder, models / "it.png")


@pytest.mark.parametrize("text", [
    "", "{", "[]", "1", "null", '"x"', "{}", "[" * 100_000, '{"detector": NaN}', "\ud800",
    '{"detector": ' + "9" * 5000 + "}",
])  # fmt: skip
@pytest.mark.parametrize("name", ["frozen", "deep_svdd", "pixels"])
def test_text_that_is_no_header_is_named(models, tmp_path, name, text):
    shutil.copytree(models / name, tmp_path / "model")
    text = text.encode("utf-8", "replace").decode()
    write(tmp_path / "model" / "detector.safetensors", {}, text)
    sign(tmp_path / "model")
    assert name == "pixels" or scored(tmp_path / "model", models / "it.png") is None
    shutil.copy(models / name / "detector.safetensors", tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text(text)
    assert scored(tmp_path / "model", models / "it.png") is None


@pytest.mark.parametrize("file", ["model.json", "detector.safetensors", "bank.safetensors"])
def test_a_pipe_a_device_and_a_folder_in_a_files_place_are_named(models, tmp_path, file):
    import os

    make = {"pipe": os.mkfifo, "folder": os.mkdir, "device": lambda p: p.symlink_to("/dev/zero"),
            "loop": lambda p: p.symlink_to(p), "nothing": lambda p: None}  # fmt: skip
    for name, put in make.items():
        folder = tmp_path / name
        shutil.copytree(models / "frozen", folder)
        (folder / file).unlink()
        put(folder / file)
        assert scored(folder, models / "it.png") is None


def test_a_network_of_any_size_takes_no_memory(models, tmp_path):
    """A header that asks for 100 TB: refused from the tensors that are there."""
    for key, value in {"embed_dim": 65_536, "img_size": 60_000, "depth": 60_000}.items():
        folder = tmp_path / key
        shutil.copytree(models / "frozen", folder)
        tensors, facts = header(folder / "detector.safetensors")
        facts["backbone"]["kwargs"][key] = value
        write(folder / "detector.safetensors", tensors, facts)
        sign(folder)
        assert scored(folder, models / "it.png") is None


def test_pictures_of_any_size_take_no_room(models, tmp_path):
    """A square of a terabyte: refused, not tried."""
    folder = tmp_path / "model"
    shutil.copytree(models / "pixels", folder)
    facts = json.loads((folder / "model.json").read_text())
    facts["images"]["size"] = 1_000_000
    (folder / "model.json").write_text(json.dumps(facts))
    assert scored(folder, models / "it.png") is None
