"""Samplers side by side: what is drawn, what is counted, and what the table and figure say."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from synthetic import experiment

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.jobs.sampler_cost import sampler_cost, snapshot_at
from nearnd.plan.check import check

ROOT = Path(__file__).parents[1]


def test_every_setting_draws_the_same_seeds_and_every_repeat_others(tmp_path):
    seen = []

    def draw(shift):
        def sample(snapshot, seeds):
            seen.append((shift, tuple(seeds.tolist())))
            return np.full((len(seeds), 2, 2, 1), shift, np.uint8), 10.0 * shift

        return {"setting": "steps", "value": shift}, sample

    def embed(images):
        return {"features": images.reshape(len(images), -1).astype(np.float32)}

    table = sampler_cost(
        [draw(1), draw(3)],
        tmp_path,
        np.zeros((7, 4), np.float32),
        embed,
        {"gap": lambda real, fake: abs(real.mean() - fake.mean())},
        images=5,
        repeats=2,
        seed=0,
    )
    timed = seen[1:]  # the first one is to warm up
    assert [len(seeds) for _, seeds in timed] == [5, 5, 5, 5]
    by_setting = {shift: [seeds for s, seeds in timed if s == shift] for shift in (1, 3)}
    assert by_setting[1] == by_setting[3]
    assert not set(by_setting[1][0]) & set(by_setting[1][1])
    assert table["calls"].tolist() == [10, 10, 30, 30]
    assert table["gap"].tolist() == [1, 1, 3, 3]
    assert table["repeat"].tolist() == [0, 1, 0, 1]
    assert (table["n_fake"] == 5).all()
    assert (table["n_real"] == 7).all()


def test_the_snapshot_is_the_last_or_the_one_asked_for(tmp_path):
    for step in (20, 100, 3):
        (tmp_path / f"step{step:07d}.safetensors").touch()
    assert snapshot_at(tmp_path, None).name == "step0000100.safetensors"
    assert snapshot_at(tmp_path, 20).name == "step0000020.safetensors"
    with pytest.raises(ValueError, match=r"step 50 has no snapshot.*there are \[3, 20, 100\]"):
        snapshot_at(tmp_path, 50)


def test_the_table_names_the_cheapest_that_cannot_be_told_from_the_first():
    table = plugins.build("tables_figures", {"kind": "sampler_table"})(experiment())
    found = table.set_index(["sampler", "setting"])["within noise"].to_dict()
    assert found == {
        ("slow", "steps 50"): "no",
        ("slow", "steps 500"): "yes",
        ("fast", "steps 5"): "no",
        ("fast", "steps 10"): "cheapest",
        ("fast", "steps 20"): "yes",
    }
    row = table[table["setting"] == "steps 500"].iloc[0]
    assert row["network calls"] == "1000"
    assert row["repeats"] == 3
    assert row["images/s"] == "20"  # 100 images in 5 seconds
    assert row["Fréchet distance"] == "2 ± 0.1"


def test_the_figure_has_a_line_for_each_sampler_in_a_band_of_the_first():
    figure = plugins.build("tables_figures", {"kind": "sampler_cost"})(experiment())
    for ax, low, high in zip(figure.axes, (1.8, -0.02), (2.2, 0.02), strict=True):
        lines = {c.get_label(): c.lines[0] for c in ax.containers}
        assert list(lines) == ["slow", "fast"]
        assert list(lines["slow"].get_xdata()) == [100, 1000]
        assert list(lines["fast"].get_xdata()) == [5, 10, 20]
        band = ax.patches[0].get_window_extent().transformed(ax.transData.inverted())
        assert (band.y0, band.y1) == pytest.approx((low, high), abs=1e-6)


@pytest.fixture(scope="module")
def whole():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return catalog.whole(ROOT / "config/catalog", config)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("samplers", "pc", "vary", {"step": [3]}), "samplers: pc: .* Did you mean 'steps'"),
        (("samplers", "pc", "kind", "pd"), "samplers: pc: unknown kind 'pd'; there is"),
        (("samplers", "heun", "snr", 0.1), "samplers: heun: unknown argument of kind heun 'snr'"),
        (
            ("samplers", "pc", "vary", {"snr": [-1]}),
            "pc: snr is -1; it may be a number from 0",
        ),
        (("samplers", "ode", "denoise", 1), "samplers: ode: denoise is 1; it may be true or"),
        (
            ("generators", "digits_late", "sde", "subvp"),
            "samplers: ancestral: .* goes with sde: ve",
        ),
        (
            ("generators", "digits_ve", "sampler", "huen"),
            "digits_ve: sampler: .* mean 'heun'",
        ),
        (("generators", "digits_ve", "sampler", "heun"), "digits_ve: sampler: heun varies steps"),
        (("experiments", "digits_samplers", "drawings", ["per_class"]), "shows methods, of which"),
        (("experiments", "digits", "drawings", ["sampler_cost"]), "shows samplers, of which"),
        (("generators", "digits_ve", "sampler", {"kind": "x"}), "generators: digits_ve: sampler"),
    ],
    ids=str,
)
def test_mistakes_are_named_before_a_run(whole, change, words):
    config = copy.deepcopy(whole) | {"run": ["digits_samplers", "digits"]}
    section, name, key, value = change
    config[section][name][key] = value
    with pytest.raises(ValueError, match=words):
        check(config)


def test_an_imported_network_is_compared_with_its_own_model(whole):
    config = copy.deepcopy(whole)
    config["generators"]["theirs"] = {"kind": "score_sde", "monitor": "inception", "nf": 64}
    config["generators"]["mine"] = {
        "kind": "checkpoint", "monitor": "inception", "weights": "a.pth", "model": "theirs",
    }  # fmt: skip
    found = settings.with_sampler(config, "mine", "dpm_eta1")
    values = config["samplers"]["dpm_eta1"]["vary"]["steps"]
    assert [columns["value"] for columns, _ in found] == values
    _, entry = found[0]
    assert entry["sampler"] == {"kind": "dpm_solver", "eta": 1, "steps": 6}
    assert entry["model"] == {"kind": "score_sde", "nf": 64}
    mine = config["generators"]["mine"]
    config["generators"]["theirs"] = mine | {"model": "mine"}
    with pytest.raises(ValueError, match="generators: mine: model: theirs has a model itself"):
        settings.arguments(config, "generators", "mine")
