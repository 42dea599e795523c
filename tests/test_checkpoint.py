"""Official checkpoints: what is read from them, and what is refused; the presets they belong to."""

import io
import os
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import entry, levels, network, networks

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.generators._reference import FREQUENCIES, slots
from nearnd.generators._sampling import load_snapshot
from nearnd.networks.unet import UNet

ROOT = Path(__file__).resolve().parents[1]
CATALOG = catalog.whole(ROOT / "config/catalog")
TINY = {"nf": 16, "channel_mult": [1, 2], "blocks": 1, "attention": [4], "sigma_max": 8.0}
SAMPLER = {"kind": "heun", "steps": 3}


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


def official(model: dict, ema: dict | None = None, sigmas=(0.01, 8.0), step: int = 1_200_000):
    """The content of a file as score_sde_pytorch saves it, from tensors by the reference's names.

    The learning rate is a numpy number there, since numpy's minimum makes it.
    """
    levels = torch.tensor(np.geomspace(*reversed(sigmas), 1000))
    state = {"sigmas": levels, **model}
    shadow = [t for name, t in (ema or model).items() if name != FREQUENCIES]
    moments = {0: {"step": step, "exp_avg": torch.ones(2)}}
    rate = {"lr": 2e-4 * np.minimum(step / 5000, 1.0), "params": [0]}
    return {
        "optimizer": {"state": moments, "param_groups": [rate]},
        "model": OrderedDict((f"module.{name}", t) for name, t in state.items()),
        "ema": {"decay": 0.999, "num_updates": step, "shadow_params": shadow},
        "step": step,
    }  # fmt: skip


def imported(file, shape, folder, take="ema", **model):
    """The snapshot of a checkpoint."""
    entry = {"kind": "checkpoint", "weights": str(file), "take": take, "model": model}
    seen = []
    generator = plugins.build("generators", entry)
    generator.train(
        np.zeros(shape, np.uint8), seed=0, folder=folder, monitor=lambda *a: seen.append(a)
    )
    ((step, snapshot),) = seen
    assert generator.plan().snapshots == [step]
    return snapshot


def random_state(seed=0, **options) -> dict[str, torch.Tensor]:
    """A reference state dict, without `sigmas`, of random weights of about the usual size."""
    torch.manual_seed(seed)
    net = UNet(size=8, channels=1, **options)
    return {s.name: torch.randn(s.shape) / max(s.shape[-1], 4) ** 0.5 for s in slots(net)}


NETWORK = {k: v for k, v in TINY.items() if k != "sigma_max"}


@pytest.fixture
def good(tmp_path):
    """A checkpoint of a tiny network: the content and the tensors."""
    tensors = random_state(**NETWORK)
    return official(tensors), tensors


def save(content, file):
    torch.save(content, file)
    return file


# ---- what is read ----


@networks
def test_the_averaged_weights_compute_what_the_reference_computes(file, tmp_path):
    config, tensors, z = network(file)
    ours, sigmas = entry(config), torch.tensor(levels(config))
    later = {name: t if name == FREQUENCIES else 1.1 * t for name, t in tensors.items()}
    content = official(later, tensors)
    content["model"]["module.sigmas"] = sigmas
    weights = save(content, tmp_path / "checkpoint_24.pth")
    x, cond, y = z["x"], z["cond"], z["y"]
    shape = (1, *x.shape[2:], x.shape[1])
    away = []
    for take in ("ema", "model"):
        (tmp_path / take).mkdir()
        snapshot = imported(weights, shape, tmp_path / take, take, **ours)
        assert snapshot.name == "step1200000.safetensors"
        net = load_snapshot(snapshot)[1].eval()
        with torch.no_grad():
            got = net(x, cond)
        if ours["sde"] == "ve" and not ours["continuous"]:  # ours is divided outside
            got = got / sigmas.float()[cond.long(), None, None, None]
        away.append(float((got - y).abs().max() / y.abs().max()))
    assert away[0] < 1e-4 < 0.01 < away[1]


@pytest.mark.parametrize(
    "variant",
    [
        {"sde": "ve", "sigma_max": 8.0},
        {"sde": "vp", "fir": False, "inner": "none"},
        {"sde": "subvp"},
        {"sde": "ve", "continuous": False, "sigma_max": 8.0},
        {"sde": "vp", "continuous": False, "fir": False, "inner": "none"},
        {"sde": "ve", "sigma_max": 8.0, "inner": "skip", "outer": "skip"},
    ],
    ids=["ve", "ddpmpp", "subvp", "smld", "ddpm", "256"],
)
def test_a_snapshot_of_a_checkpoint_makes_images(variant, tmp_path):
    """Ours, written as the reference writes it, comes back; the sampler is the model's, or the
    entry's own."""
    given = NETWORK | variant
    entry = plugins.build("generators", {"kind": "score_sde", **given})
    net = UNet(size=8, channels=1, **entry.network)
    file = save(official({s.name: s.target.mT if s.matrix else s.target for s in slots(net)}),
                tmp_path / "own.pth")  # fmt: skip
    snapshot = imported(file, (1, 8, 8, 1), tmp_path, sampler=SAMPLER, **given)
    back = load_snapshot(snapshot)[1]
    assert all(torch.equal(w, back.state_dict()[name]) for name, w in net.state_dict().items())
    entry = {"kind": "checkpoint", "weights": str(file), "model": given | {"sampler": SAMPLER}}
    generator = plugins.build("generators", entry)
    images, calls = generator.sample_counted(snapshot, np.arange(3, dtype=np.uint64))
    assert images.shape == (3, 8, 8, 1)
    assert images.dtype == np.uint8
    assert calls == generator.plan().calls == 5  # 2 * 3 - 1
    own = plugins.build("generators", entry | {"sampler": {"kind": "dpm_solver", "steps": 3}})
    assert own.plan().calls == 3


def test_old_files_are_read_too(good, tmp_path):
    """Before torch's zip files, and with numpy's former name for its numbers."""
    content, _ = good
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(content, tmp_path / "new.pth")
    with (
        zipfile.ZipFile(tmp_path / "new.pth") as new,
        zipfile.ZipFile(tmp_path / "numpy1.pth", "w") as old,
    ):
        for name in new.namelist():
            data = new.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in data
                data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            old.writestr(name, data)
    made = []
    for name in ("old", "numpy1", "new"):
        (tmp_path / name).mkdir()
        made.append(imported(tmp_path / f"{name}.pth", (1, 8, 8, 1), tmp_path / name, **TINY))
    assert made[0].read_bytes() == made[1].read_bytes() == made[2].read_bytes()


# ---- what is refused ----


def swapped(tensors, first, second):
    return tensors | {first: tensors[second], second: tensors[first]}


def renamed(content, names):
    model = content["model"]
    return content | {"model": OrderedDict(zip(names(list(model)), model.values(), strict=True))}


A, B = "all_modules.4.Conv_1.weight", "all_modules.5.Conv_1.weight"


def changed(content, tensors, how):
    """A checkpoint with one thing wrong."""
    model = content["model"]
    if how == "order of the model":
        return content | {"model": OrderedDict(reversed(model.items()))}
    if how == "two names":
        other = {f"module.{A}": f"module.{B}", f"module.{B}": f"module.{A}"}
        return renamed(content, lambda names: [other.get(n, n) for n in names])
    if how == "order of the averages":
        return official(tensors, swapped(tensors, A, B))
    if how == "a tensor less":
        return official({n: t for n, t in tensors.items() if n != A})
    if how == "the last one less":
        return official(dict(list(tensors.items())[:-1]))
    if how == "an average less":
        content["ema"]["shadow_params"].pop()
    if how == "a tensor more":
        return official(tensors | {"all_modules.99.weight": torch.zeros(3)})
    if how == "shape":
        return official(tensors | {A: tensors[A][:, :-1]})
    if how == "shape of an average":
        return official(tensors, tensors | {A: tensors[A][:, :-1]})
    if how == "not finite":
        return official(tensors | {A: tensors[A] * torch.nan})
    if how == "whole numbers":
        return official(tensors | {A: tensors[A].long()})
    if how == "noise levels":
        return official(tensors, sigmas=(0.01, 50.0))
    if how == "weights alone":
        return dict(model)
    if how == "a list":
        return list(model.values())
    if how == "no step":
        return content | {"step": "1.2M"}
    return content


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("order of the model", "all_modules"),
        ("two names", rf"it has {B} where {A} \(16, 16, 3, 3\) is needed"),
        ("order of the averages", rf"ema of {A} is not of it but of {B}"),
        ("a tensor less", rf"it has all_modules.4.Conv_1.bias where {A} .* is needed"),
        ("the last one less", r"tensors where \d+ are needed: all_modules.\d+.bias is missing"),
        ("an average less", r"ema has \d+ tensors, model has \d+"),
        ("a tensor more", "all_modules.99.weight is too much"),
        ("shape", rf"{A} is \(16, 15, 3, 3\) where \(16, 16, 3, 3\) is needed"),
        ("shape of an average", rf"ema of {A} is \(16, 15, 3, 3\), in model it is"),
        ("not finite", f"{A} has entries that are not finite"),
        ("whole numbers", f"{A} is torch.int64, not a tensor of floats"),
        ("noise levels", "trained with sigma_max 50, the entry has 8.0"),
        ("weights alone", "has no model, ema, step; an official checkpoint has"),
        ("a list", "has no model, ema, step; .* this file has list"),
        ("no step", "step is '1.2M'; it must be a whole number"),
    ],
)
def test_a_file_of_another_network_is_refused_and_the_tensor_named(good, how, words, tmp_path):
    file = save(changed(*good, how), tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=words) as error:
        imported(file, (1, 8, 8, 1), tmp_path, **TINY)
    assert "bad.pth" in str(error.value)
    assert list(tmp_path.glob("*.safetensors")) == []


def test_averages_may_be_far_from_the_weights(good, tmp_path):
    """Early in training they are; only those that are another tensor's are refused."""
    _, tensors = good
    noisy = {name: t + 0.5 * torch.randn_like(t) for name, t in tensors.items()}
    other, nothing = random_state(1, **NETWORK), {n: 0 * t for n, t in tensors.items()}
    for i, ema in enumerate((noisy, other, nothing)):
        file = save(official(tensors, ema), tmp_path / f"{i}.pth")
        imported(file, (1, 8, 8, 1), tmp_path, **TINY)


def test_the_images_must_have_the_size_of_the_network(good, tmp_path):
    file = save(good[0], tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"at 8 pixels and 3 channels: .*all_modules.3.weight is"):
        imported(file, (1, 8, 8, 3), tmp_path, **TINY)
    with pytest.raises(ValueError, match=r"at 16 pixels and 1 channels: it has all_modules"):
        imported(file, (1, 16, 16, 1), tmp_path, **TINY)  # attention would be elsewhere
    with pytest.raises(ValueError, match="square"):
        imported(file, (1, 8, 6, 1), tmp_path, **TINY)


class Bomb:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("new", [True, False])
def test_code_in_a_file_is_not_run(good, new, tmp_path):
    trap = tmp_path / "it ran"
    torch.save(good[0] | {"args": Bomb(trap)}, tmp_path / "bomb.pth",
               _use_new_zipfile_serialization=new)  # fmt: skip
    with pytest.raises(ValueError, match=r"bomb.pth is refused, nothing in it was run: .*"):
        imported(tmp_path / "bomb.pth", (1, 8, 8, 1), tmp_path, **TINY)
    assert not trap.exists()
    torch.load(tmp_path / "bomb.pth", weights_only=False)  # it would have
    assert trap.exists()


def test_what_is_cut_off_or_something_else_is_refused(good, tmp_path):
    whole = io.BytesIO()
    torch.save(good[0], whole)
    data = whole.getvalue()
    for i, content in enumerate((data[: len(data) // 2], data[:100], b"", b"<html>Log in</html>")):
        file = tmp_path / f"{i}.pth"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{i}.pth (is refused|cannot be read)"):
            imported(file, (1, 8, 8, 1), tmp_path, **TINY)
    with pytest.raises(ValueError, match="there is no file"):
        imported(tmp_path / "none.pth", (1, 8, 8, 1), tmp_path, **TINY)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "weights is not given"),
        ({"weights": "a.pth", "take": "average"}, "take is 'average'; it may be ema or model"),
        ({"weights": "a.pth", "model": {"sigma_max": "data"}}, "must be the number of the"),
        ({"weights": "a.pth", "model": {"sde": "smld"}}, "it may be ve or vp or subvp"),
        ({"weights": "a.pth", "model": {"nff": 3}}, "nff"),
        ({"weights": "a.pth", "model": {"kind": "checkpoint"}}, "model is of kind checkpoint"),
    ],
)
def test_an_entry_that_cannot_work_is_named(entry, words):
    with pytest.raises((ValueError, TypeError), match=words):
        plugins.check_entry("generators", "", {"kind": "checkpoint", **entry})
        plugins.check_entry("generators", "", {"kind": "score_sde"} | entry.get("model", {}))
        plugins.call("generators", {"kind": "checkpoint", **entry}, "check")


def test_the_checksum_is_that_of_the_file(good, tmp_path):
    file = save(good[0], tmp_path / "a.pth")
    generator = plugins.build("generators", {"kind": "checkpoint", "weights": str(file),
                                             "sha256": "0" * 64, "model": TINY})  # fmt: skip
    with pytest.raises(ValueError, match=r"a.pth has sha256 \w+, the entry says 0000"):
        generator.train(np.zeros((1, 8, 8, 1), np.uint8), seed=0, folder=tmp_path, monitor=print)


# ---- presets ----

COUNTS = {  # modules, tensors of the state dict, averaged tensors, trained parameters
    "ve_cifar10_ncsnpp_continuous": (59, 572, 570, 62_758_787),
    "ve_cifar10_ncsnpp_deep_continuous": (95, 964, 962, 107_586_947),
    "vp_cifar10_ncsnpp_continuous": (58, 571, 570, 62_693_251),
    "subvp_cifar10_ncsnpp_continuous": (58, 571, 570, 62_693_251),
    "vp_cifar10_ddpmpp_continuous": (55, 565, 564, 61_804_419),
    "subvp_cifar10_ddpmpp_continuous": (55, 565, 564, 61_804_419),
    "vp_cifar10_ddpmpp_deep_continuous": (91, 957, 956, 106_632_579),
    "subvp_cifar10_ddpmpp_deep_continuous": (91, 957, 956, 106_632_579),
    "vp_cifar10_ncsnpp_deep_continuous": (94, 963, 962, 107_521_411),
    "subvp_cifar10_ncsnpp_deep_continuous": (94, 963, 962, 107_521_411),
    "ve_church_ncsnpp_continuous": (77, 646, 644, 65_574_421),
    "ve_bedroom_ncsnpp_continuous": (77, 646, 644, 65_574_421),
    "ve_ffhq_256_ncsnpp_continuous": (77, 646, 644, 65_574_421),
    "ve_celebahq_256_ncsnpp_continuous": (77, 646, 644, 65_574_421),
    "ve_cifar10_ncsnpp": (58, 571, 570, 62_693_251),
    "vp_cifar10_ddpmpp": (55, 565, 564, 61_804_419),
    "ve_celeba_ncsnpp": (58, 571, 570, 62_693_251),
}


@pytest.mark.parametrize("name", COUNTS)
def test_published_presets_have_the_published_sizes(name):
    """The counts of the deep NCSN++ for VP, which is not released, follow from the others."""
    arguments = settings.arguments(CATALOG, "generators", name)
    network = plugins.build("generators", arguments).network
    size = 256 if "256" in name or "church" in name or "bedroom" in name else 32
    size = 64 if "celeba_" in name else size
    with torch.device("meta"):
        net = UNet(size=size, channels=3, **network)
    wanted = slots(net)
    modules, tensors, averaged, parameters = COUNTS[name]
    assert len({slot.name.split(".")[1] for slot in wanted}) == modules
    assert len(wanted) + 1 == tensors  # `sigmas` too
    assert len([slot for slot in wanted if slot.name != FREQUENCIES]) == averaged
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    assert trained == parameters


OFFICIAL = [name for name in CATALOG["generators"] if name.endswith("_official")]


@pytest.mark.parametrize("name", OFFICIAL)
def test_an_official_file_is_read_as_the_preset_of_its_name(name):
    entry, preset = CATALOG["generators"][name], name.removesuffix("_official")
    assert preset in COUNTS
    assert entry["model"] == preset
    assert Path(entry["weights"]).parent.as_posix().replace("/", "_") == preset
    plugins.call("generators", settings.arguments(CATALOG, "generators", name), "check")
