"""Does the choice by drawn defects find the best method, on tasks whose anomalies are known?

    python benchmarks/selection.py --folder WORK [--mirrors DIR ...] [--own NAME=FOLDER ...]

Makes the image sets by the workflow, fits what `nearnd select` compares on at most FIT normal
images of a class, chooses by defects drawn on CHECK others as docs/SELECT.md says, and scores test
images with known anomalies. The network is EfficientNet-Lite0 at 128 pixels. A set that no mirror
has is left out and named; --own adds folders of images that are laid out as README says. What is
done is kept in WORK; two processes with other names in --only share the work. Writes
docs/results/select.csv; `benchmarks/selection_table.py` makes the table and the figure of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml

from nearnd import catalog, plugins
from nearnd.config import arguments
from nearnd.contracts import Images, score_of
from nearnd.files.arrays import load_array, load_tensors, save_json, save_tensors
from nearnd.files.paths import path
from nearnd.files.tables import load_names
from nearnd.jobs.seeds import pixel_seeds
from nearnd.metrics.auroc import auroc
from nearnd.plan.start import BASE
from nearnd.report.drawn_defects import DEFECTS
from nearnd.report.selfcheck import aurocs, best, scored, some

sys.path.insert(0, str(BASE / "tests"))
from bricks import bricks

FIT, CHECK, TEST = 400, 200, 100  # normal images to fit and to check; test images of each class
FEWEST = 30  # normal images of a class that make a task
SIDE, NETWORK = 128, "efficientnet_lite0"
SETS = {  # of the catalog; photographs are stored at SIDE
    "cifar10": {}, "cifar100_fine": {}, "digits": {}, "wbc": {"size": SIDE},
    "elpv_mono": {"size": SIDE}, "elpv_poly": {"size": SIDE},
    "weather": {"size": SIDE}, "head_ct": {"size": SIDE},
}  # fmt: skip
BESIDE = "cifar100_fine"  # whose classes are near to those of cifar10
CLOSEST = {  # by FITYMI's table 5
    "airplane": "rocket", "automobile": "pickup_truck", "bird": "shrew", "cat": "leopard",
    "deer": "cattle", "dog": "rabbit", "frog": "lizard", "horse": "cattle", "ship": "bridge",
    "truck": "bus",
}  # fmt: skip


class Task(NamedTuple):
    """A normal class; test images are rows of the set's pool."""

    name: str
    fit: np.ndarray  # uint8 (N, H, W, C)
    check: np.ndarray
    normal: np.ndarray  # int (n,)
    anomalies: dict[str, np.ndarray]  # rows by the name of the test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--mirrors", nargs="+", default=[])
    parser.add_argument("--own", nargs="+", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    folder = args.folder.resolve()
    if not (folder / "bricks").exists():
        bricks(folder / "bricks")
    own = {"bricks": str(folder / "bricks")} | dict(one.split("=", 1) for one in args.own)
    entries = {name: e for name, e in SETS.items() if name not in own} | {
        name: {"kind": "image_folder", "path": str(Path(at).resolve()), "size": SIDE}
        for name, at in own.items()
    }
    config = catalog.whole(
        BASE / "config" / "catalog",
        catalog.load(BASE / "config" / "own.yaml"),
        {"datasets": entries, "backbones": {"dinov2_or_lite": {"like": NETWORK}}},
    )
    (folder / "more.yaml").write_text(yaml.safe_dump({"datasets": entries}))
    backbone = made(folder, path("backbone", backbone=NETWORK, seed=0), args)
    if backbone is None:
        sys.exit(f"{NETWORK} is not to be had; why stands above")
    for name in args.only or entries:
        sets = {
            of: images(folder, of, args) for of in {name, BESIDE if name == "cifar10" else name}
        }
        if sets[name] is None or name == BESIDE:
            continue
        pool, tasks = tasks_of(name, sets)
        for task in tasks:
            at = folder / "tasks" / task.name.replace("/", "-")
            measure(task, pool, config, backbone, at)
            print(task.name, flush=True)
    table = gathered(folder, config["experiments"]["own_select"]["methods"])
    table.round(5).to_csv(BASE / "docs/results/select.csv", index=False)


# ---- images ----


def made(folder: Path, target: str, args) -> Path | None:
    """The result, made by the workflow; None if it cannot be."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(BASE / "Snakefile")]
    command += ["--directory", str(folder), "--cores", args.cores, target, "--nolock"]
    command += ["--configfile", str(folder / "more.yaml")]
    mirrors = [str(Path(m).resolve()) for m in args.mirrors]
    command += ["--config", f"mirrors={mirrors}"]
    if not (folder / target).exists() and subprocess.run(command, check=False).returncode:
        return None
    return folder / target


def images(folder: Path, name: str, args) -> dict[str, Images] | None:
    """Both splits; None, which is said, if the set is not to be had."""
    target = path("images", dataset=name, split="train")
    if made(folder, target, args) is None:
        print(f"left out: {name}; why stands above", flush=True)
        return None
    found = {}
    for split in ("train", "test"):
        file = folder / path("images", dataset=name, split=split)
        names = load_names(file)
        classes = names["class"].to_numpy(str)
        found[split] = Images(load_array(file, ndim=4), None, names["id"].to_numpy(), None, classes)
    return found


def tasks_of(name: str, sets: dict) -> tuple[np.ndarray, Iterator[Task]]:
    """The test images that are scored (M, H, W, C), and a task for each class."""
    random, both = np.random.default_rng(0), sets[name]
    rows = [of_class(both["test"].names, c, random)[:TEST] for c in np.unique(both["test"].names)]
    rows = np.concatenate(rows)
    pool, classes = np.asarray(both["test"].pixels[rows]), both["test"].names[rows]
    near = sets.get(BESIDE) if name == "cifar10" else None
    if near:
        beside = near["test"].names
        rows = [of_class(beside, c, random)[:TEST] for c in sorted(set(CLOSEST.values()))]
        rows = np.concatenate(rows)
        pool = np.concatenate([pool, near["test"].pixels[rows]])
        classes = np.concatenate([classes, [f"near {c}" for c in beside[rows]]])
    return pool, _tasks(name, both["train"], classes, near is not None, random)


def _tasks(name, train: Images, classes: np.ndarray, near: bool, random) -> Iterator[Task]:
    for normal in np.unique(train.names):
        rows = of_class(train.names, normal, random)
        if len(rows) < FEWEST:
            print(f"left out: {name}, {normal}: {len(rows)} images", flush=True)
            continue
        n = min(FIT, round(2 * len(rows) / 3))
        fit, check = rows[:n], rows[n : n + CHECK]
        far = np.char.startswith(classes, "near ")
        anomalies = {"far": np.flatnonzero(~far & (classes != normal))}
        if near:
            anomalies["near"] = np.flatnonzero(classes == f"near {CLOSEST[normal]}")
        yield Task(
            f"{name}/{normal}", train.pixels[np.sort(fit)], train.pixels[np.sort(check)],
            np.flatnonzero(classes == normal), anomalies,
        )  # fmt: skip


def of_class(classes: np.ndarray, name: str, random: np.random.Generator) -> np.ndarray:
    return random.permutation(np.flatnonzero(classes == name))


# ---- methods ----


def measure(task: Task, pool: np.ndarray, config: dict, backbone: Path, at: Path) -> None:
    """Writes for each method the AUROC of each kind of drawn defect and of each test to a file of
    the folder `at`, where those that are there stay."""
    at.mkdir(parents=True, exist_ok=True)
    drawn_on = task.check[some(len(task.check))]
    tested = np.unique(np.concatenate([task.normal, *task.anomalies.values()]))
    name = embed = None
    for method in config["experiments"]["own_select"]["methods"]:
        if (at / f"{method}.json").exists():
            continue
        spec = config["methods"][method]
        if spec["detector"] != name:  # one at a time in memory
            name = spec["detector"]
            embed, one_model = embedder(config, name, task.fit, backbone)
        score = plugins.build("scores", arguments(config, "scores", spec["score"]))
        bank = {} if spec["bank"] == "none" else embed(task.fit)

        def scores(pixels, embed=embed, score=score, bank=bank):
            queries = embed(pixels)
            return {"score": score_of(score(bank, queries, seed=0))}, queries

        row = aurocs(scores(task.check)[0]["score"], scored(scores, drawn_on))
        if one_model:  # the same for all tasks of the set
            kept = at.parent.parent / "pools" / f"{task.name.split('/')[0]}-{name}.safetensors"
            if not kept.exists():
                save_tensors(kept, embed(pool))
            queries = {key: array[tested] for key, array in load_tensors(kept)[0].items()}
            found = score_of(score(bank, queries, seed=0))
        else:
            found = scores(pool[tested])[0]["score"]
        of = dict(zip(tested.tolist(), found.tolist(), strict=True))
        for test, rows in task.anomalies.items():
            values = np.array([of[i] for i in [*task.normal, *rows]])
            row[f"test {test}"] = auroc(values, np.arange(len(values)) >= len(task.normal))
        save_json(
            at / f"{method}.json", {"fitted": len(task.fit), "checked": len(task.check), **row}
        )


def gathered(folder: Path, methods: list[str]) -> pd.DataFrame:
    """A row for each finished task and method, with which one is chosen."""
    tables = []
    for at in sorted((folder / "tasks").iterdir()):
        files = [at / f"{method}.json" for method in methods]
        if not all(file.exists() for file in files):
            continue
        rows = [{"task": at.name, "method": m} | json.loads(f.read_text())
                for m, f in zip(methods, files, strict=True)]  # fmt: skip
        chosen = best({row["method"]: {kind: row[kind] for kind in DEFECTS} for row in rows})
        tables += [row | {"chosen": row["method"] == chosen} for row in rows]
    return pd.DataFrame(tables)


def embedder(config: dict, name: str, normal: np.ndarray, backbone: Path):
    """The fitted detector's function from pixels to its embedding, each set embedded once, and
    whether it looks at the normal class."""
    entry = arguments(config, "detectors", name)
    if "backbone" in plugins.constant("detectors", entry["kind"], "NEEDS"):
        entry |= {"resize": SIDE, "crop": SIDE}
    detector, known = plugins.build("detectors", entry), {}
    images = Images(normal, np.zeros(len(normal), np.int64), np.arange(len(normal)).astype(str))
    with torch.inference_mode():
        detector.fit(
            images, outliers=None, backbone=backbone, judge=None, seed=0, folder=None,
            progress=lambda *args, **values: None,
        )  # fmt: skip

    def embed(pixels: np.ndarray) -> dict[str, np.ndarray]:
        key = (len(pixels), hash(pixels.tobytes()))
        if key not in known:
            known[key] = detector.embed(pixels, seeds=pixel_seeds(pixels))
        return known[key]

    return embed, plugins.constant("detectors", entry["kind"], "ONE_MODEL", False)


if __name__ == "__main__":
    main()
