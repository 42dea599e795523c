"""Networks and weights from strangers: nothing in them is run, fetched or read from elsewhere."""

import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from nearnd.backbones import timm as timm_backbone
from nearnd.contracts import silent
from nearnd.files.weights import read_weights, state_dict
from nearnd.networks.backbone import create, describe

TINY = {
    "img_size": 8, "patch_size": 4, "in_chans": 1, "embed_dim": 16, "depth": 2, "num_heads": 2,
}  # fmt: skip
VIT = "vit_tiny_patch16_224"


def make(backbone):
    return backbone.make(None, [], seed=0, folder=None, progress=silent)


STRANGE = {
    "checkpoint_path": "evil.pth", "cache_dir": "here", "pretrained": True, "pretrained_cfg": "x",
    "pretrained_cfg_overlay": {"file": "evil.pth", "input_size": [3, 8, 8]}, "num_heads": "a/b",
    "pretrained_custom_load": True, "pretrained_strict": False, "model_cfg": {}, "depth": 1e99,
    "model_name": "resnet18", "features_only": True, "norm_layer": {"a": 1}, "depths": [[[1]]],
    "scriptable": True, "embed_dim": "os.system", "__class__": 1, "no_such": 3, "depth ": 1,
}  # fmt: skip
PLACES = ["hf-hub:some/one", "hf_hub:some/one", "local-dir:/tmp", "../vit_tiny_patch16_224",
          "resnet18.x:y", "resnet18.a/b", "http://a/b", "", "os.system"]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_arguments_that_lead_elsewhere_never_reach_timm(monkeypatch, name):
    if name != "no_such":  # which no network has
        monkeypatch.setattr("timm.create_model", lambda *_, **__: pytest.fail("timm was asked"))
    with pytest.raises(ValueError, match=r"backbone vit_tiny.*|timm cannot build vit_tiny.*"):
        create({"model": VIT, "kwargs": TINY | {name: STRANGE[name]}})


@pytest.mark.parametrize("name", PLACES)
def test_names_that_lead_elsewhere_never_reach_timm(monkeypatch, name):
    monkeypatch.setattr("timm.create_model", lambda *_, **__: pytest.fail("timm was asked"))
    with pytest.raises(ValueError, match=r"model: |timm has no model"):
        create({"model": name, "kwargs": {}})


def test_plain_arguments_of_networks_do():
    plain = TINY | {"drop_path_rate": 0.1, "class_token": True, "global_pool": "avg",
                    "act_layer": "relu", "init_values": None, "pos_embed": "learn"}  # fmt: skip
    assert isinstance(create({"model": VIT, "kwargs": plain}), torch.nn.Module)
    wide = {"pretrained_cfg_overlay": {"input_size": [3, 64, 64]}, "layers": [1, 1, 1, 1]}
    model = create({"model": "resnet10t", "kwargs": wide})
    assert describe(model, "resnet10t", wide, 0.5, 0.5)["size"] == 64


ATTENTION = "MultiHeadDotProductAttention_1"
BLOCK = {"LayerNorm_0/scale": "d", "LayerNorm_0/bias": "d", "LayerNorm_2/scale": "d",
         "LayerNorm_2/bias": "d", "MlpBlock_3/Dense_0/kernel": "d m",
         "MlpBlock_3/Dense_0/bias": "m", "MlpBlock_3/Dense_1/kernel": "m d",
         "MlpBlock_3/Dense_1/bias": "d",
         f"{ATTENTION}/out/kernel": "h e d", f"{ATTENTION}/out/bias": "d"}  # fmt: skip
for part in ("query", "key", "value"):
    BLOCK |= {f"{ATTENTION}/{part}/kernel": "d h e", f"{ATTENTION}/{part}/bias": "h e"}
OFFICIAL_VIT = {  # the names of the papers' checkpoints; d: width, h: heads, m: hidden layer
    "embedding/kernel": "4 4 1 d", "embedding/bias": "d", "cls": "1 1 d",
    "Transformer/posembed_input/pos_embedding": "1 5 d",
    "Transformer/encoder_norm/scale": "d", "Transformer/encoder_norm/bias": "d",
}  # fmt: skip
for i in range(2):
    OFFICIAL_VIT |= {f"Transformer/encoderblock_{i}/{name}": BLOCK[name] for name in BLOCK}


def official_arrays() -> dict:
    sizes = {"d": TINY["embed_dim"], "h": TINY["num_heads"], "m": 4 * TINY["embed_dim"]}
    sizes["e"] = sizes["d"] // sizes["h"]
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=[sizes.get(s) or int(s) for s in shape.split()]).astype(np.float32)
        for name, shape in OFFICIAL_VIT.items()
    }


@pytest.mark.parametrize("suffix", ["safetensors", "npz", "pth", "pt", "bin", "ckpt", "pkl"])
def test_no_library_opens_a_file_of_weights(tmp_path, suffix):
    """What timm would do with one depends on its version: it is handed tensors."""
    import timm
    from safetensors.torch import save_file

    file = tmp_path / f"w.{suffix}"
    state = timm.create_model(VIT, num_classes=5, **TINY).state_dict()
    if suffix == "npz":
        np.savez(file, **official_arrays())
    else:
        (save_file if suffix == "safetensors" else torch.save)(state, file)
    with opened(file) as by:
        weights, _ = make(timm_backbone.build(VIT, str(file), TINY, 0.5, 0.5))
        assert any(name == "nearnd.files.weights" for name in by)
    assert not any(name.startswith("timm") for name in by), by
    if suffix == "npz":
        bias = official_arrays()["embedding/bias"]
        assert np.array_equal(weights["patch_embed.proj.bias"], bias)


def test_no_library_opens_a_file_of_a_fisher_diagonal_or_of_inception(tmp_path):
    from nearnd.detectors.panda import fisher_from_file
    from nearnd.networks.inception import inception_features

    model = create({"model": VIT, "kwargs": TINY})
    torch.save({n: p.detach().abs() for n, p in model.named_parameters()}, tmp_path / "f.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "i.pth")
    with opened(tmp_path / "f.pth") as fisher, opened(tmp_path / "i.pth") as inception:
        fisher_from_file(tmp_path / "f.pth", None, model)
        with pytest.raises(ValueError, match=r"i\.pth is not the Inception"):
            inception_features(np.zeros((1, 8, 8, 3), np.uint8), tmp_path / "i.pth")
    for by in (fisher, inception):
        assert "nearnd.files.weights" in by
        assert not any(name.startswith(("timm", "torch_fidelity")) for name in by), by


@contextmanager
def opened(file):
    """The modules on whose behalf the file is opened inside: all that are on the stack then."""
    by, watched = set(), True

    def hook(event, args):
        if watched and event == "open" and str(args[0]) == str(file):
            frame = sys._getframe()
            while frame:
                by.add(frame.f_globals.get("__name__", ""))
                frame = frame.f_back

    sys.addaudithook(hook)  # for ever: hooks cannot be taken off
    try:
        yield by
    finally:
        watched = False


def test_tensors_larger_than_their_file_and_odd_ones_are_refused(tmp_path):
    file = tmp_path / "w.pth"
    loop: list = [torch.zeros(2)]
    loop.append(loop)
    for content, words in [
        ({"x": torch.zeros(1).expand(10**6, 10**6)}, "it has .* bytes, what is in it"),
        ({"x": torch.zeros(3, device="meta")}, "on meta"),
        ({"x": torch.zeros(3).to_sparse()}, "torch.sparse_coo"),
        ({"x": torch.full((2,), torch.nan)}, "not finite, in x"),
        ({"x": 3}, "does not hold tensors by name"), ([torch.zeros(2)], "tensors by name"),
        ({}, "tensors by name"), (loop, "tensors by name"), ({1: torch.zeros(2)}, "by name"),
    ]:  # fmt: skip
        torch.save(content, file)
        with pytest.raises(ValueError, match=rf"w\.pth .*{words}"):
            state_dict(file)
    np.savez_compressed(tmp_path / "w.npz", x=np.zeros(10**7))
    with pytest.raises(ValueError, match=r"w\.npz .*what is in it 80000128"):
        read_weights(tmp_path / "w.npz")


def test_the_weights_inside_of_a_checkpoint_are_found(tmp_path):
    file, old, new = tmp_path / "w.pth", torch.zeros(2), torch.ones(2)
    torch.save({"state_dict": {"module.a": old}, "model_ema": {"_orig_mod.module.a": new}}, file)
    assert state_dict(file)["a"].tolist() == [1, 1]
