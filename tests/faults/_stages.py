"""Every long stage as a process of its own, on toy data: the workflow's own scripts, to be killed,
starved and fed with damaged files.

Processes are forked from a server that has loaded torch, so that a random moment of a run is one of
its work and not of its imports.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import runpy
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
REPEATS = int(os.environ.get("NEARND_FAULTS", "1"))  # make test-faults: 20
SCRIPTS = ROOT / "workflow" / "scripts"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([
    "torch", "timm", "pandas", "PIL.Image", "scipy.linalg", "nearnd.jobs.training_loop",
    "nearnd.detectors.binary", "nearnd.generators._training", "nearnd.networks.backbone",
])  # fmt: skip

SMALL = {
    "model": "vit_tiny_patch16_224",
    "kwargs": {
        "img_size": 8,
        "patch_size": 2,
        "in_chans": 1,
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 2,
    },
}
GENERATOR = {
    "kind": "score_sde", "nf": 8, "channel_mult": [1, 1], "blocks": 1, "attention": [],
    "inner": "none", "sigma_max": 5.0, "batch": 8, "lr": 1e-3, "warmup": 0, "steps": 60,
    "snapshots": [20, 40, 60], "sampler": {"kind": "heun", "steps": 3},
}  # fmt: skip
PIXELS = {"kind": "pixels"}
IMAGES = [f"results/images/own/{split}{end}" for split in ("train", "test")
          for end in (".npy", ".csv", "_masks.npy")]  # fmt: skip
PLACE = "results/{}/own/a/toy/seed0"
SNAPSHOTS = PLACE.format("generators") + "/snapshots"


class Files(list):
    """What snakemake gives a script: a list, some of whose members have names."""

    def __init__(self, named):
        pairs = named.items() if isinstance(named, dict) else enumerate(named)
        self.named = dict(pairs)
        for value in self.named.values():
            self.extend(value if isinstance(value, list) else [value])

    def __getattr__(self, name):
        try:
            return self.__dict__["named"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, key):
        return self.named[key] if isinstance(key, str) else super().__getitem__(key)

    def keys(self):
        return self.named.keys()

    def items(self):
        return self.named.items()


def params(entry: dict, **more) -> dict:
    return {"entry": entry, **more}


TASK = {"dataset": "own", "normal": "a"}
STAGES = {
    "images": {
        "wildcards": {"dataset": "own"}, "input": {"clean": []}, "output": IMAGES,
        "params": params({"kind": "image_folder", "path": "pictures", "size": 8, "mode": "L"},
                         drawn={}, archives={}, selection={}),
    },
    "backbone": {
        "wildcards": {"backbone": "toy", "seed": "0"}, "input": {"pixels": IMAGES[0]},
        "output": ["results/backbones/toy/seed0.safetensors"],
        "params": params({"kind": "pretrain", "epochs": 12, "batch": 16, **SMALL}),
    },
    "watcher": {
        "rule": "detector", "wildcards": {**TASK, "detector": "pixels", "seed": "0"},
        "input": {}, "output": ["results/detectors/any/any/pixels/seed0.safetensors"],
        "params": params(PIXELS),
    },
    "generator": {
        "wildcards": {**TASK, "generator": "toy", "seed": "0"},
        "input": {"pixels": IMAGES[0],
                  "watcher": "results/detectors/any/any/pixels/seed0.safetensors"},
        "output": {
            "snapshots": SNAPSHOTS,
            **{name: f"{PLACE.format('generators')}/{name}.{end}" for name, end in
               {"fidelity": "csv", "previews": "npy", "cost": "tsv"}.items()},
        },
        "params": params(GENERATOR, watcher=PIXELS, watcher_digest="", until=None,
                         monitor={"measures": ["frechet"], "images": 16}),
    },
    "fakes": {
        "wildcards": {**TASK, "fakes": "toy", "seed": "0"},
        "input": {"pixels": IMAGES[0], "snapshots": SNAPSHOTS,
                  "fidelity": PLACE.format("generators") + "/fidelity.csv"},
        "output": {"images": PLACE.format("fakes") + ".npy",
                   "facts": PLACE.format("fakes") + ".csv"},
        "params": params({"kind": "sampled", "stop": {"step": 60}}, generator=GENERATOR, ratio=4),
    },
    "detector": {
        "wildcards": {**TASK, "detector": "toy", "seed": "0"},
        "input": {"pixels": IMAGES[0], "backbone": "results/backbones/toy/seed0.safetensors",
                  "outliers": PLACE.format("fakes") + ".npy"},
        "output": [PLACE.format("detectors") + ".safetensors"],
        "params": params({"kind": "binary", "epochs": 6, "flip": False}),
    },
    "features": {
        "wildcards": {**TASK, "detector": "toy", "seed": "0"},
        "input": {"train": IMAGES[0], "test": IMAGES[3],
                  "detector": PLACE.format("detectors") + ".safetensors"},
        "output": {s: f"{PLACE.format('features')}/{s}.safetensors" for s in ("train", "test")},
        "params": params({"kind": "binary"}, banked=True),
    },
    "bank": {
        "wildcards": {**TASK, "detector": "toy", "bank": "full", "seed": "0"},
        "input": {"pixels": IMAGES[0],
                  "features": PLACE.format("features") + "/train.safetensors"},
        "output": [PLACE.format("banks") + ".safetensors"], "params": params({"kind": "full"}),
    },
    "score": {
        "wildcards": {**TASK, "method": "toy", "images": "test", "seed": "0"},
        "input": {"pixels": IMAGES[3], "queries": PLACE.format("features") + "/test.safetensors",
                  "bank": PLACE.format("banks") + ".safetensors"},
        "output": {"scores": PLACE.format("scores") + ".csv",
                   "made": PLACE.format("scores") + ".json"},
        "params": params({"kind": "knn", "k": 2}, own=True, parts={}),
    },
}  # fmt: skip
LONG = ("images", "backbone", "generator", "fakes", "detector")
MEASURED = (".tsv",)  # times: not the same twice


def pictures(folder: Path, each: int = 60) -> None:
    """Two classes of grey photographs, 120 pixels wide: bright above dark, and the other way."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, slope in {"a": 1, "b": -1}.items():
        (folder / "pictures" / name).mkdir(parents=True)
        for i in range(each):
            rows = slope * np.linspace(-50, 50, 120)[:, None] + rng.normal(128, 40, (120, 120))
            picture = Image.fromarray(rows.clip(0, 255).astype(np.uint8))
            picture.save(folder / "pictures" / name / f"{i}.png", compress_level=1)


def inside(folder: str, stage: str, changes: dict, before: Callable | None, threads: int) -> None:
    """The body of the process: runs the script of one stage in `folder`."""
    os.chdir(folder)
    with open("said.txt", "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(NEARND_DEVICE="cpu", NEARND_MIRRORS="[]")
    import torch

    from nearnd.jobs import training_loop

    torch.set_num_threads(1)
    training_loop.train.__kwdefaults__["save_every"] = 0.05  # seconds; a minute for a real one
    sys.path.insert(0, str(SCRIPTS))
    if before:
        before()
    job = STAGES[stage] | changes
    rule = job.get("rule", stage)
    given = SimpleNamespace(
        rule=rule, wildcards=Files(job["wildcards"]), params=Files(job["params"]),
        input=Files(job["input"]), output=Files(job["output"]), log=[f"logs/{stage}.log"],
        threads=threads,
    )  # fmt: skip
    runpy.run_path(str(SCRIPTS / f"{rule}.py"), {"snakemake": given})


def start(folder: Path, stage: str, before=None, threads: int = 1, **changes):
    """The process. As snakemake does, first the folders of the outputs are made, and what an
    earlier run left of them is removed."""
    for file in Files((STAGES[stage] | changes)["output"]):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.rmtree(path)
        elif path.suffix != ".json":  # what snakemake updates
            path.unlink(missing_ok=True)
    (folder / "said.txt").write_text("")
    (folder / f"logs/{stage}.log").unlink(missing_ok=True)
    process = FORKS.Process(target=inside, args=(str(folder), stage, changes, before, threads))
    process.start()
    return process


def run(folder: Path, stage: str, before=None, **changes) -> tuple[int, str]:
    """Exit code and what was printed."""
    process = start(folder, stage, before, **changes)
    process.join()
    return process.exitcode, (folder / "said.txt").read_text()


def results(folder: Path, stage: str, **changes) -> dict[str, bytes]:
    """The outputs of a stage that are there, without measured times."""
    found = {}
    for output in Files((STAGES[stage] | changes)["output"]):
        path = folder / output
        for file in sorted(path.rglob("*")) if path.is_dir() else [path] * path.is_file():
            if file.suffix not in MEASURED:
                found[str(file.relative_to(folder))] = file.read_bytes()
    return found


class Toy:
    """All stages, run once without a fault: what they made, and how long they took."""

    def __init__(self, folder: Path):
        self.folder, self.seconds, self.made = folder, {}, {}
        pictures(folder)
        run(folder, "watcher")  # the server of the forks is there before anything is measured
        for stage in STAGES:
            began = time.monotonic()
            code, said = run(folder, stage)
            assert code == 0, f"{stage}: {said}"
            self.seconds[stage] = time.monotonic() - began
            self.made[stage] = results(folder, stage)
            assert len(self.made[stage]) >= len(STAGES[stage]["output"]) - 1

    def copy(self, target: Path) -> Path:
        """A folder of its own to spoil."""
        return Path(shutil.copytree(self.folder, target))


def moments(stage: str, what: str) -> random.Random:
    """The same moments each time the tests run."""
    return random.Random(f"{stage} {what}")
