"""What a run would take, counted and by hand; the graph of the papers; what jobs load to start."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from nearnd import plugins
from nearnd.catalog import read_catalog
from nearnd.networks import flops
from nearnd.plan import estimate
from nearnd.plan.dataset_sizes import RESOURCES, Counts
from nearnd.plan.estimate import core_seconds, costs, gpu_seconds, read_rates
from nearnd.plan.job_cost import Cost, JobCost, Part, steps

ROOT = Path(__file__).parents[1]
RATES = {
    "score_train_rate": 2.0, "score_train_call": 3.0, "distance_rate": 10.0, "start_timm": 5.0,
    "start_tables": 1.0, "image": 0.5, "row": 0.25, "schedule": 36.0, "gpu_peak": 100.0,
    "gpu_utilisation": 0.5, "gpu_call": 0.1,
}  # fmt: skip


def workflow(folder: Path, *arguments: str) -> str:
    """What snakemake prints in an empty folder."""
    shutil.copytree(ROOT / "profiles", folder / "profiles", dirs_exist_ok=True)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", ROOT / "Snakefile"]
    done = subprocess.run(
        [*command, "--directory", folder, *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- arithmetic ----


def test_seconds_are_start_and_flops_and_calls():
    train = Cost([Part("score_train", 20.0, 4)])  # 5 + 20 / 2 + 4 * 3
    assert core_seconds("generator", train, RATES) == 27
    assert gpu_seconds("generator", train, RATES) == pytest.approx(5 + 20 / 50 + 4 * 0.1)
    score = Cost([Part("distance", 50.0, 0)], rows=8)  # 1 + 50 / 10 + 8 / 4
    assert core_seconds("score", score, RATES) == 8
    assert gpu_seconds("score", score, RATES) == 0  # it computes on no GPU
    assert core_seconds("images", Cost([], images=6), RATES) == 4


def test_costs_count_each_job_and_snakemake_itself():
    class Fixed:
        def cost(self, rule, wildcards):
            return Cost([Part("score_train", 20.0, 4)] if rule == "generator" else [], kept=1e9)

    jobs = Counter({("generator", (("normal", "one"),)): 100, ("bank", ()): 50})
    table = costs(jobs, Fixed(), RATES).set_index("rule")
    assert table.loc["generator", "alone_h"] == pytest.approx(100 * 27 / 3600)
    assert table.loc["generator", ["cpu_h", "gb"]].tolist() == [0, 100]
    assert table.loc["bank", ["gpu_h", "cpu_h"]].tolist() == pytest.approx([0, 50 / 3600])
    assert table.loc["snakemake itself", "cpu_h"] == pytest.approx(150 * 36 / 3600)


def test_a_convolution_and_a_linear_layer_have_the_flops_of_the_textbook():
    from torch import nn

    net = lambda: nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(320, 7))  # noqa: E731
    count = flops.forward_flops(net, (1, 3, 8, 8))
    assert count.flops == 2 * (8 * 8 * 5 * 3 * 9) + 2 * 320 * 7
    assert (count.weights, count.features) == (5 * 28 + 7 * 321, 7)


def test_the_published_score_network_and_vit_have_the_published_size():
    assert flops.unet({}).weights == pytest.approx(62.8e6, rel=1e-3)  # Song et al., 2021
    vit = flops.backbone("vit_base_patch16_224", {})
    assert vit.flops / 2 == pytest.approx(17.6e9, rel=0.01)  # Dosovitskiy et al., 2021
    assert vit.features == 768


# ---- work, by hand ----

TINY = {
    "seeds": [0, 1],
    "datasets": {"a": {"kind": "mnist", "size": 8}, "b": {"kind": "mnist_c", "of": "a"}},
    "detectors": {
        "pixels": {"kind": "pixels"},
        "net": {"kind": "deep_svdd", "widths": [4], "code": 6, "epochs": 2, "ae_epochs": 0},
    },
    "banks": {"full": {"kind": "full"}, "tenth": {"kind": "coreset", "share": 0.1}},
    "methods": {
        "m": {"detector": "pixels", "bank": "full", "score": "knn"},
        "n": {"detector": "net", "bank": "full", "score": "knn"},
    },
    "closeness": {},
    "experiments": {
        "e": {"dataset": "a", "normals": "each", "methods": ["m"], "tests": ["b.test"]},
        "f": {"dataset": "a", "normals": "each", "methods": ["n"]},
    },
}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return JobCost(TINY)


@pytest.mark.parametrize("kind", ["unode", "unode_pretrained", "unode_labelled"])
def test_what_a_judge_looks_at_is_counted(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vit = {"kind": "timm", "model": "test_vit", "weights": "none"}
    plain = {"kind": kind, "hard": ["rotation", "blur"], "looked_at": 100, "backbone": "vit"}
    config = TINY | {"backbones": {"vit": vit}}
    config |= {"detectors": {"plain": plain, "judged": plain | {"judge": "vit"}}}
    cost, task = JobCost(config), {"dataset": "a", "normal": "one"}
    without, parts = (
        cost.cost("detector", task | {"detector": name}).parts for name in ("plain", "judged")
    )
    assert parts[:-1] == without
    net = flops.backbone("test_vit", {})
    assert parts[-1] == Part("backbone_run_small", 3 * 100 * net.flops, 300 / 64)


def test_work_of_the_light_rules_by_hand(tiny):
    assert tiny.counts.size("a") == (60_000, 10_000, 8, 1, True)
    assert tiny.counts.size("b")[:2] == (0, 150_000)
    task = {"dataset": "a", "normal": "one"}
    bank = tiny.cost("bank", task | {"detector": "pixels", "bank": "tenth"})
    assert bank.kept == pytest.approx(600 * 64 * 4)  # a tenth of 6,000 images of 64 float32
    score = tiny.cost("score", task | {"method": "m", "images": "b.test"})
    assert score.parts == [Part("distance", 2 * 150_000 * 6_000 * 64, 0)]
    whole = tiny.cost("score", task | {"normal": "not-one", "method": "m", "images": "test"})
    assert whole.parts == [Part("distance", 2 * 10_000 * 54_000 * 64, 0)]
    assert tiny.cost("metrics", {"experiment": "e"}).rows == 10 * 2 * (10_000 + 150_000)
    images = tiny.cost("images", {"dataset": "a"})
    assert (images.images, images.kept) == (70_000, 70_000 * 64)


def test_training_is_three_passes_for_each_image_and_epoch(tiny):
    net = flops.lenet(8, 1, [4], None, 6)
    task = {"dataset": "a", "normal": "one", "detector": "net"}
    (part,) = tiny.cost("detector", task).parts
    assert part.flops == pytest.approx(2 * 6_000 * 3 * net.flops)
    assert part.calls == 2 * 6_000 / 200  # batches of 200
    (part,) = tiny.cost("features", task).parts
    assert part.flops == pytest.approx((6_000 + 10_000) * net.flops)


def test_a_decoded_set_is_counted_and_an_unknown_one_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"datasets": {"own": {"kind": "image_folder", "path": "x", "size": 32}}}
    first = Counts(config)
    assert first.size("own")[:2] == (1000, 1000)
    assert first.guessed == {"own"}
    for split, n in (("train", 7), ("test", 3)):
        file = tmp_path / "results/images/own" / f"{split}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("id,class\n" + "x,y\n" * n)
    second = Counts(config)
    assert second.size("own")[:2] == (7, 3)
    assert not second.guessed


def test_the_numbers_of_images_of_mvtec_are_those_of_its_paper():
    numbers = Counts(read_catalog(ROOT / "config/catalog"))
    sizes = [numbers.size(name)[:2] for name in numbers.config["datasets"] if "mvtec" in name]
    assert np.sum(sizes, axis=0).tolist() == [3629, 1725]


def test_every_image_set_of_the_catalog_states_its_number_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = Counts(read_catalog(ROOT / "config/catalog"))
    for name in numbers.config["datasets"]:
        assert numbers.size(name).known, name


# ---- what states nothing ----


def mute(monkeypatch, stage: str, kind: str, function: str = "work"):
    """A kind that does not state its work."""
    call = plugins.call
    says = lambda s, e, f: None if (s, e["kind"], f) == (stage, kind, function) else call(s, e, f)  # noqa: E731
    monkeypatch.setattr(plugins, "call", says)


def test_a_kind_that_states_nothing_is_unknown_and_left_out_of_the_sums(tiny, monkeypatch):
    mute(monkeypatch, "detectors", "deep_svdd")
    jobs = Counter({("detector", (("dataset", "a"), ("detector", name), ("normal", "one"))): 10
                    for name in ("net", "pixels")})  # fmt: skip
    table = costs(jobs, tiny, read_rates()).set_index("rule")
    assert table.loc["detector", "jobs"] == 20
    assert table.loc["detector", "unknown"] == "detectors: net"
    start = read_rates()["start_timm"]  # of the ten others, which train nothing
    assert table.loc["detector", "alone_h"] == pytest.approx(10 * start / 3600)
    whole = estimate.text({"e": jobs}, jobs, TINY, [])
    assert "20?" in whole
    assert "Of detectors: net it is unknown what they cost" in whole


def test_a_generator_is_asked_how_long_it_trains(monkeypatch):
    config = {"generators": {"a": {"kind": "score_sde", "steps": 7}, "b": {"kind": "score_sde"},
                             "c": {"kind": "checkpoint", "weights": "x"}}}  # fmt: skip
    assert [steps(config, name) for name in "abc"] == [7, 1_300_000, 0]
    mute(monkeypatch, "generators", "score_sde", "training_steps")
    assert steps(config, "a") is None


def test_a_rule_of_which_nothing_is_said_stops_the_estimate(tiny):
    assert tiny.cost("table", {}).parts == []
    with pytest.raises(ValueError, match=r"what a job of rule renamed costs is not said"):
        tiny.cost("renamed", {})


def test_rates_say_where_they_are_from():
    rates = read_rates()
    assert all(value > 0 for value in rates.values())
    for line in (RESOURCES / "rates.csv").read_text().splitlines():
        assert ("assumption" in line) == line.startswith("gpu_")


# ---- the graph of the papers ----


def test_paper_yaml_has_every_experiment_of_the_papers():
    catalog = yaml.safe_load((ROOT / "config/catalog/experiments.yaml").read_text())["experiments"]
    paper = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    toys = ("digits", "elpv", "cifar10_lite", "cifar10_fsgan_small")
    others = {name for name in catalog if name.startswith(toys)}
    assert sorted(paper["run"]) == sorted(catalog.keys() - others - {"wbc"})
    assert len(paper["seeds"]) == 10


def test_estimate_counts_the_jobs_of_a_dry_run(tmp_path):
    toy = ["--configfile", str(ROOT / "tests/toy.yaml")]
    plan = workflow(tmp_path, *toy, "--dry-run", "--quiet", "rules")
    planned = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", plan, re.M)}
    found = workflow(tmp_path, "estimate", *toy)
    counted = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)  ", found, re.M)}
    targets = {"all", "summary", "costs", "total"}  # of the whole run, not of an experiment
    assert {k: v for k, v in planned.items() if k not in targets}.items() <= counted.items()
    assert counted["toy"] == counted["total"] == planned["total"] - 3


def test_gated_files_do_not_stop_an_estimate_which_names_them(tmp_path):
    found = workflow(tmp_path, "estimate", "--configfile", str(ROOT / "config/mvtec.yaml"))
    assert found.count("Before it can run: datasets: mvtec") == 1  # one archive, 15 entries
    assert not (tmp_path / "results/archives").exists()
    rows = re.findall(r"^mvtec_\w+ +(\d+) ", found, re.M)
    assert len(rows) == 15
    assert all(int(n) > 5 for n in rows)


# ---- what a job loads before its work ----

LIGHT = ["bank", "score", "metrics", "summary", "table", "costs", "list_datasets"]
HEAVY = {"torch", "timm", "torchvision", "sklearn", "matplotlib", "scipy"}


@pytest.mark.parametrize("script", LIGHT)
def test_light_scripts_load_nothing_heavy(script):
    text = (ROOT / f"workflow/scripts/{script}.py").read_text()
    lines = re.findall(r"^(?:from|import) .*$", text, re.M)
    kinds = [f"import nearnd.{s}.{k}" for s in ("banks", "metrics") for k in plugins.available(s)]
    loaded = modules([line for line in lines if "_repository" not in line] + kinds)
    assert not HEAVY & set(loaded)


def test_a_generator_is_built_and_planned_without_timm():
    loaded = modules(
        ["from nearnd import plugins",
         "plugins.build('generators', {'kind': 'score_sde', 'steps': 3, 'snapshots': [3],"
         " 'sampler': {'kind': 'heun', 'steps': 3}}).plan()"]
    )  # fmt: skip
    assert "torch" in loaded
    assert not {"timm", "torchvision", "sklearn"} & set(loaded)


def test_the_whole_config_is_checked_without_torch():
    code = ["from pathlib import Path", "from nearnd import catalog, config, plugins",
            "from nearnd.plan.check import check",
            "import yaml",
            f"root = Path({str(ROOT)!r})",
            "files = [root / 'config' / name for name in ('config.yaml', 'paper.yaml')]",
            "base = catalog.whole(root / 'config/catalog', *map(yaml.safe_load, map(open, files)))",
            "check(base)",
            "[plugins.digest(config.STAGE.get(s, s), e['kind'])"
            " for s in config.KEYS for e in base[s].values()]"]  # fmt: skip
    assert not HEAVY & set(modules(code))


def test_hundreds_of_jobs_are_planned_without_torch(tmp_path):
    """The studies of exposure: every stage but the samplers."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    plan = [
        "-n",
        "--cores",
        "1",
        "--quiet",
        "rules",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(tmp_path),
        "--configfile",
        str(ROOT / "config/digits_exposure.yaml"),
    ]
    loaded = modules(
        ["from snakemake.cli import main", f"try: main({plan})", "except SystemExit: pass"]
    )
    total = loaded[loaded.index("total") + 1]
    assert int(total) > 300
    assert "snakemake" in loaded
    assert not HEAVY & set(loaded)


def modules(code: list[str]) -> list[str]:
    """What these lines print, word by word, and then the modules that are loaded."""
    code = [*code, "import sys", "print(' '.join(sys.modules))"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_note_says_what_was_not_measured():
    assert "not a measurement" in estimate.NOTE
