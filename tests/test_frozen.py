"""Detectors on frozen maps: formulas beside public codes' numbers, and that they find things."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_patchcore import fitted, pictures, resnet  # noqa: F401 (a fixture)

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.detectors._cosine import hard_cosine
from nearnd.detectors._patches import rows
from nearnd.detectors.dinomaly import above
from nearnd.detectors.distillation import differ
from nearnd.detectors.fastflow import negative_log, surprise
from nearnd.detectors.patch_subspace import Moments, Outside, outside
from nearnd.files.arrays import save_tensors
from nearnd.metrics.auroc import auroc
from nearnd.networks.attention_head import PatchHead
from nearnd.networks.flow import Coupling, Flow
from nearnd.networks.linear_attention import Layer
from nearnd.networks.reverse import Reverse

NUMBERS = Path(__file__).parent / "fixtures/frozen/numbers.npz"


@pytest.fixture(scope="module")
def public():
    with np.load(NUMBERS) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def below(public, prefix):
    return {k.removeprefix(prefix): v for k, v in public.items() if k.startswith(prefix)}


# ---- formulas of the public codes ----


def test_subspacead_is_the_residual_of_the_official_code(public):
    moments = Moments()
    moments.add(public["subspace_normal"])
    directions = outside(moments.covariance(), None, 0.95)
    assert 6 - directions.shape[1] == int(public["subspace_k"])
    net = Outside(torch.nn.Identity(), moments.mean(), directions)
    found = net.residual(public["subspace_queries"].double())
    assert found.tolist() == pytest.approx(public["subspace_scores"].tolist(), rel=1e-5)


def test_the_head_of_generalad_is_the_official_one(public):
    weights = below(public, "general/")
    layer, ours = "transformer_encoder.0.", "layers.0."
    names = {f"{layer}layer_norm_1.": f"{ours}norm.", f"{layer}attn.": f"{ours}attention."}
    names |= {f"{layer}linear.0.": f"{ours}up.", f"{layer}linear.3.": f"{ours}down."}
    names |= {"positional_encodings": "place", "output_layer.": "out."}
    state = {}
    for name, value in weights.items():
        old = next(old for old in names if name.startswith(old))
        state[names[old] + name.removeprefix(old)] = value
    head = PatchHead(6, 8, 1, 12, 2, 0.1).eval()
    head.load_state_dict(state)
    assert head(public["general_x"]).flatten().tolist() == pytest.approx(
        public["general_y"].flatten().tolist(), abs=1e-5
    )


def test_the_flow_is_that_of_the_public_fastflow(public):
    flow = Flow(5, 4, 1.0, mixed=True)
    state = {}
    for i in range(4):
        state |= {f"steps.{i}.{k}": v for k, v in below(public, f"flow/{i}/").items()}
    flow.load_state_dict(state)
    with torch.no_grad():
        z, log_det = flow(public["flow_x"])
    assert z.numpy() == pytest.approx(public["flow_z"].numpy(), abs=1e-5)
    assert log_det.tolist() == pytest.approx(public["flow_log_det"].tolist(), rel=1e-5)
    assert surprise(z).numpy() == pytest.approx(public["flow_map"].numpy(), abs=1e-5)
    assert float(negative_log(z, log_det).mean()) == pytest.approx(
        float(public["flow_loss"]), rel=1e-5
    )


def test_the_loss_of_recontrast_and_its_gradient_are_the_official_ones(public):
    a, b = public["contrast_a"], public["contrast_b"].clone().requires_grad_()
    loss = hard_cosine(a, b * 1.0, lambda away: away.mean() + 0.5 * away.std())
    loss.backward()
    assert loss.item() == pytest.approx(float(public["contrast_loss"]), rel=1e-5)
    assert b.grad.numpy() == pytest.approx(public["contrast_gradient"].numpy(), abs=1e-6)
    assert (b.grad == 0).any()  # places that are left alone


def test_the_loss_of_dinomaly_and_its_gradient_are_the_official_ones(public):
    a, b = public["contrast_a"], public["contrast_b"].clone().requires_grad_()
    loss = hard_cosine(a, b * 1.0, lambda away: above(away, 0.7), 0.1)
    loss.backward()
    assert loss.item() == pytest.approx(float(public["dinomaly_loss"]), rel=1e-5)
    assert b.grad.numpy() == pytest.approx(public["dinomaly_gradient"].numpy(), abs=1e-6)


def test_the_layers_of_dinomalys_decoder_are_the_official_ones(public):
    names = {"norm1.": "norm1.", "norm2.": "norm2.", "attn.": "attention.", "mlp.fc1.": "mlp.0.",
             "mlp.fc2.": "mlp.2."}  # fmt: skip
    state = {}
    for name, value in below(public, "dinomaly/").items():
        old = next(old for old in names if name.startswith(old))
        state[names[old] + name.removeprefix(old)] = value
    layer = Layer(8, 2)
    layer.load_state_dict(state)
    found = layer(public["dinomaly_x"])
    assert found.flatten().tolist() == pytest.approx(
        public["dinomaly_y"].flatten().tolist(), abs=1e-5
    )


def test_the_loss_of_distillation_is_the_official_one(public):
    layers = zip(public["distil_real"], public["distil_pred"], strict=True)
    found = sum(float(differ(a, b, 0.5).mean()) for a, b in layers)
    assert found == pytest.approx(float(public["distil_loss"]), rel=1e-5)


@pytest.mark.parametrize(("places", "top"), [(256, 2), (784, 7), (1024, 10), (100, 1), (16, 1)])
def test_the_highest_hundredth_is_rounded_down_as_in_both_codes(places, top):
    maps = np.random.default_rng(0).random((3, 1, places)).astype(np.float32)
    found = plugins.build("scores", {"kind": "highest", "share": 0.01})({}, {"map": maps})
    expected = np.sort(maps[:, 0], axis=1)[:, -top:].mean(1)
    assert found["score"] == pytest.approx(expected)


# ---- the flow by itself ----


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_step_of_the_flow_has_the_jacobian_that_it_says(kernel):
    torch.manual_seed(0)
    step = Coupling(3, kernel).double()
    for p in step.parameters():
        p.data += 0.5 * torch.randn(p.shape, dtype=p.dtype)
    x = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda x: step(x)[0], x).reshape(12, 12)
    assert step(x)[1].item() == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), rel=1e-6)


@pytest.mark.parametrize("channels", [2, 5, 40])
def test_the_flow_goes_back_to_where_it_came_from(channels):
    torch.manual_seed(1)
    flow, x = Flow(channels, 8), 3 * torch.randn(2, channels, 6, 5)
    for p in flow.parameters():
        p.data += 0.05 * torch.randn(p.shape)
    with torch.no_grad():
        y, _ = flow(x)
        assert not torch.allclose(x, y, atol=0.1)
        assert (flow.inverse(y) - x).abs().max() < 1e-5 * x.abs().max()


def test_a_trained_flow_makes_the_normal_maps_more_likely(resnet):  # noqa: F811
    from nearnd.detectors.fastflow import FastFlow

    likely = []
    for epochs in (1, 40):
        entry = {"kind": "fastflow", "epochs": epochs, "batch": 4, "steps": 4, "layers": ["layer2"]}
        detector = fitted(resnet, pictures(6), entry)
        assert isinstance(detector, FastFlow)
        maps = detector.maps_of(detector.net.backbone)(pictures(3, 9))
        with torch.no_grad():
            likely.append(-float(sum(negative_log(*each).mean() for each in detector.net(maps))))
    assert likely[1] > likely[0] + 100


# ---- each of them finds a foreign patch ----

ENTRIES = {
    "anomaly_dino": {"layers": ["layer2"]},
    "subspace_mean": {"kind": "patch_subspace", "merge": "mean", "layers": ["layer2"]},
    "fastflow": {"epochs": 30, "batch": 4, "steps": 4, "layers": ["layer1"]},
    "recontrast": {"iterations": 8, "batch": 4},
    "dinomaly": {"iterations": 60, "batch": 4, "heads": 4, "layers": ["layer2"]},
    "students": {"epochs": 60, "batch": 4, "width": 16, "lr": 1e-3, "layers": ["layer2"]},
}  # fmt: skip


@pytest.mark.parametrize("name", ENTRIES)
def test_a_foreign_patch_is_more_anomalous_than_its_surroundings(name, resnet):  # noqa: F811
    detector = fitted(resnet, pictures(8), {"kind": name} | ENTRIES[name])
    clean, marked = pictures(4, 3), pictures(4, 3)
    marked[:, 24:44, 20:40] = [255, 0, 255]
    with torch.no_grad():
        before, after = (detector.embed(x)["map"] for x in (clean, marked))
    assert after.max((1, 2)).mean() > before.max((1, 2)).mean()
    rise = (after - before).mean(0)
    side = rise.shape[0]
    down, right = slice(24 * side // 64, 44 * side // 64), slice(20 * side // 64, 40 * side // 64)
    assert rise[down, right].mean() > 1.2 * max(np.median(rise), 0)


@pytest.mark.parametrize("fakes", ["all", "some"])
def test_the_head_of_generalad_tells_noised_patches_from_others(fakes, resnet):  # noqa: F811
    entry = {"kind": "general_ad", "epochs": 40, "batch": 4, "hidden": 64, "layers": ["layer2"]}
    detector = fitted(resnet, pictures(8), entry | {"noise": 1.0, "fakes": fakes})
    x = rows(detector.maps_of(detector.net.backbone)(pictures(4, 3))).flatten(1, 2)  # (4, P, D)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        clean, noised = (detector.net.head(each).flatten() for each in (x, x + noise))
    label = np.arange(2 * len(clean)) >= len(clean)
    assert auroc(torch.cat([clean, noised]).numpy(), label) > 0.9
    assert detector.embed(pictures(4, 3))["map"].ravel() == pytest.approx(clean.numpy(), abs=1e-4)


def test_the_student_of_a_distillation_knows_normal_images_better_than_noise(resnet):  # noqa: F811
    few, many = (
        fitted(resnet, pictures(8), {"kind": "distillation", "epochs": epochs, "batch": 4})
        for epochs in (1, 40)
    )
    noise = np.random.default_rng(5).integers(0, 256, (4, 64, 64, 3)).astype(np.uint8)
    known, other = (many.embed(x) for x in (pictures(4, 3), noise))
    assert known["logit"].max() < other["logit"].min()
    assert known["map"].mean() < other["map"].mean()
    before = few.embed(pictures(4, 3))["logit"].mean()
    assert known["logit"].mean() < 0.9 * before, (known["logit"].mean(), before)


def test_the_distances_of_anomalydino_are_cosines(resnet):  # noqa: F811
    pixels = pictures(3)
    detector = fitted(resnet, pixels, {"kind": "anomaly_dino", "layers": ["layer3"]})
    maps_of = detector.maps_of(detector.net.backbone)
    unit = [torch.nn.functional.normalize(maps_of(x)[0].flatten(2).mT.flatten(0, 1), dim=1)
            for x in (pixels, pictures(2, 5))]  # fmt: skip
    expected = (1 - unit[1] @ unit[0].T).min(1).values
    found = detector.embed(pictures(2, 5))["map"]
    assert found.ravel() == pytest.approx(expected.numpy(), abs=1e-5)
    assert detector.embed(pixels)["map"].max() < 1e-6


def small_vit(folder, **more):
    small = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2} | more
    entry = {"kind": "timm", "model": "vit_tiny_patch16_224", "weights": "none", "kwargs": small}
    weights, facts = plugins.build("backbones", entry).make(
        None, [], seed=0, folder=folder, progress=lambda *_, **__: None
    )
    save_tensors(folder / "vit", weights, **facts)
    return folder / "vit"


def test_a_vit_is_read_after_its_last_norm(tmp_path):
    vit = small_vit(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    images = Images(pixels, np.zeros(3, int), np.array(list("abc")))
    detector = plugins.build("detectors", {"kind": "anomaly_dino"})
    detector.fit(images, backbone=vit, seed=0)
    tokens = detector.maps_of(detector.net.backbone)(pixels)[0].flatten(2).mT  # (3, 16, 16)
    assert tokens.mean(2).abs().max() < 1e-5
    assert tokens.std(2, correction=0).sub(1).abs().max() < 1e-2


# ---- what goes wrong is said ----


def test_layers_of_different_widths_have_no_mean(resnet):  # noqa: F811
    with pytest.raises(ValueError, match=r"\[128, 256\] wide.*merge: end_to_end"):
        fitted(resnet, pictures(2), {"kind": "patch_subspace", "merge": "mean"})


def test_heads_that_do_not_share_the_features_are_refused(resnet):  # noqa: F811
    with pytest.raises(ValueError, match=r"512 features a patch cannot be shared by heads 3"):
        fitted(resnet, pictures(2), {"kind": "general_ad", "heads": 3, "layers": ["layer4"]})


@pytest.mark.parametrize("n", [1, 3])
def test_images_that_are_all_the_same_and_small_teach_recontrast_nothing(n, tmp_path):
    detector = plugins.build("detectors", {"kind": "recontrast", "iterations": 2})
    same = pictures(1)[np.zeros(n, int), :16, :16]
    images = Images(same, np.zeros(n, int), np.arange(n).astype(str))
    vit = small_vit(tmp_path, patch_size=8)
    with pytest.raises(ValueError, match=rf"the {n} normal images are all the same.* 2 pixels wid"):
        detector.fit(images, backbone=vit, seed=0)


@pytest.mark.parametrize("kind", ["recontrast", "students"])
def test_too_many_layers_are_named(kind, resnet):  # noqa: F811
    layers = ["layer1", "layer2", "layer3", "layer4"]
    with pytest.raises(ValueError, match=r"4 layers"):
        fitted(resnet, pictures(2), {"kind": kind, "layers": layers})


@pytest.mark.parametrize("sides", [[16, 8, 4], [7, 4, 2], [4, 4], [1]])
def test_the_decoder_gives_back_maps_of_the_encoders_shapes(sides):
    widths = [8, 12, 16][: len(sides)]
    maps = [torch.randn(2, c, s, s) for c, s in zip(widths, sides, strict=True)]
    for found in Reverse(widths, sides, [1, 2, 1][: len(sides)], 2).eval()(maps):
        assert [m.shape for m in found] == [m.shape for m in maps]


def test_no_gradient_reaches_what_is_to_be_given_back():
    a, b = (torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    hard_cosine(a, b * 1.0, torch.mean).backward()
    assert a.grad is None
    assert b.grad.abs().sum() > 0
