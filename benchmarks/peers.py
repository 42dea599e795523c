"""The same work by peers and by us on the same images: processor seconds and memory, one thread.

    python benchmarks/peers.py [--rounds 3] [--only patchcore knn]

The peers live in an environment of their own beside this file, .peers, made at the first call out
of this one and PEERS (700 MB; nothing else needs it). Each measurement is a process of one thread
that makes the same numbers, does the work, and says the processor time of each part and by how much
its peak memory grew; ours and the peer's take turns, and the ratio is of their medians: above 1
where the peer takes more. All in float32. What differs stands in README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).parent
ENVIRONMENT = HERE / ".peers"
PEERS = ["anomalib==2.7.0", "faiss-cpu==1.15.1", "pyod==3.6.7"]
SIDE, NORMAL, NEW = 224, 24, 16  # PatchCore's images
WARM = 100  # rows of a first call, untimed
SHARE, NETWORK = 0.01, "resnet18"  # with random weights: times do not depend on them


def peak() -> float:
    """The most memory that this process had, MB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


class Clock:
    """Processor seconds by the name of a part, and how much the peak memory grew since it began."""

    def __init__(self):
        self.found, self.before = {}, peak()

    def __call__(self, part: str, work):
        began = time.process_time()
        result = work()
        self.found[part] = time.process_time() - began
        self.found["memory"] = peak() - self.before
        return result


def pictures(n: int, seed: int) -> np.ndarray:
    """Smooth noise uint8 (n, SIDE, SIDE, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 28, 28, 3), np.uint8)
    return coarse.repeat(SIDE // 28, axis=1).repeat(SIDE // 28, axis=2)


def features(n: int, d: int, seed: int) -> np.ndarray:
    """As a network gives them: a few dozen strong directions, noise in the others."""
    basis = np.random.default_rng(0).normal(size=(32, d))
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 32)) @ basis + rng.normal(size=(n, d)) + 1).astype(np.float32)


# ---- a task is a pair of functions, ours and the peer's; both return a number to compare ----


def our_patches(kind: str, **arguments) -> dict[str, float]:
    import tempfile

    from nearnd import plugins
    from nearnd.contracts import Images, silent
    from nearnd.files.arrays import save_tensors

    entry = {"kind": "timm", "model": NETWORK, "weights": "none", "resize": SIDE}
    with tempfile.TemporaryDirectory() as folder:
        made = plugins.build("backbones", entry).make(
            None, [], seed=0, folder=Path(folder), progress=silent
        )
        file = Path(folder, "backbone.safetensors")
        save_tensors(file, made[0], **made[1])
        x = pictures(NORMAL, 1)
        normal = Images(x, np.zeros(len(x), int), np.arange(len(x)).astype(str))
        detector = plugins.build("detectors", {"kind": kind, "precision": "fp32", **arguments})
        clock = Clock()
        clock("fit", lambda: detector.fit(normal, outliers=None, backbone=file, judge=None, seed=0,
                                          folder=None, progress=silent))  # fmt: skip
        maps = clock("predict", lambda: detector.embed(pictures(NEW, 2)))["map"]
    return clock.found | {"value": float(maps.max(axis=(1, 2)).mean())}


def their_patches() -> dict[str, float]:
    import torch
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(["layer2", "layer3"], NETWORK, pre_trained=False)
    mean, sd = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def batches(n: int, seed: int):
        x = pictures(n, seed)
        for i in range(0, n, 8):
            part = (torch.from_numpy(x[i : i + 8]).float() / 255 - mean) / sd
            yield part.permute(0, 3, 1, 2).contiguous()

    def fit() -> None:
        model.train()
        with torch.inference_mode():
            for batch in batches(NORMAL, 1):
                model(batch)
            model.subsample_embedding(SHARE)

    def predict() -> float:
        model.eval()
        with torch.inference_mode():
            return torch.cat([model(batch).pred_score for batch in batches(NEW, 2)]).mean()

    clock = Clock()
    clock("fit", fit)
    value = clock("predict", predict)
    return clock.found | {"value": float(value)}


def our_score(kind: str, n: int, m: int, d: int, **arguments) -> dict[str, float]:
    from nearnd import plugins

    bank, queries = {"features": features(n, d, 1)}, {"features": features(m, d, 2)}
    score = plugins.build("scores", {"kind": kind, **arguments})
    score({"features": bank["features"][:WARM]}, queries, seed=0)  # loads what it needs
    clock = Clock()
    value = clock("fit and score", lambda: score(bank, queries, seed=0))
    return clock.found | {"value": float(np.mean(value))}


def faiss_score(n: int, m: int, d: int) -> dict[str, float]:
    import faiss

    bank, queries = features(n, d, 1), features(m, d, 2)

    def work(bank: np.ndarray = bank) -> np.ndarray:
        index = faiss.IndexFlatL2(d)
        index.add(bank)
        return index.search(queries, 2)[0].sum(1)

    work(bank[:WARM])
    clock = Clock()
    value = clock("fit and score", work)
    return clock.found | {"value": float(value.mean())}


def pyod_score(name: str, n: int, m: int, d: int, **arguments) -> dict[str, float]:
    from importlib import import_module

    kind = getattr(import_module(f"pyod.models.{name.lower()}"), name)
    bank, queries = features(n, d, 1), features(m, d, 2)
    kind(**arguments).fit(bank[:WARM]).decision_function(queries)
    clock = Clock()
    value = clock("fit and score", lambda: kind(**arguments).fit(bank).decision_function(queries))
    return clock.found | {"value": float(value.mean())}


def our_distance(kind: str, n: int, d: int) -> dict[str, float]:
    from nearnd import plugins

    x, y, measure = features(n, d, 1), features(n, d, 2), plugins.build("fidelity", {"kind": kind})
    measure(x[:WARM], y[:WARM])
    clock = Clock()
    value = clock("distance", lambda: measure(x, y))
    return clock.found | {"value": value}


def fidelity_distance(kind: str, n: int, d: int) -> dict[str, float]:
    import torch
    from torch_fidelity import metric_fid as fid
    from torch_fidelity import metric_kid as kid

    x, y = (torch.from_numpy(features(n, d, seed)) for seed in (1, 2))

    def distance(x: torch.Tensor, y: torch.Tensor) -> float:
        if kind == "frechet":
            both = [fid.fid_features_to_statistics(z) for z in (x, y)]
            return fid.fid_statistics_to_metric(*both, False)["frechet_inception_distance"]
        options = {"kid_subsets": 1, "kid_subset_size": len(x), "verbose": False}
        return kid.kid_features_to_metric(x, y, **options)["kernel_inception_distance_mean"]

    distance(x[:WARM], y[:WARM])
    clock = Clock()
    value = clock("distance", lambda: distance(x, y))
    return clock.found | {"value": float(value)}


KNN = {"n": 5000, "m": 2000, "d": 768}
FEW = {"n": 1000, "m": 500, "d": 192}
TASKS = {  # name: (ours, the peer, the peer's name)
    "patchcore": (lambda: our_patches("patchcore", share=SHARE, dimension=384), their_patches,
                  "anomalib"),
    "subspace": (lambda: our_patches("patch_subspace"), their_patches, "anomalib's PatchCore"),
    "knn": (lambda: our_score("knn", k=2, **KNN), lambda: faiss_score(**KNN), "faiss"),
    "one-class SVM": (lambda: our_score("one_class_svm", **FEW),
                      lambda: pyod_score("OCSVM", nu=0.1, **FEW), "pyod"),
    "isolation forest": (lambda: our_score("isolation_forest", **FEW),
                         lambda: pyod_score("IForest", random_state=0, **FEW), "pyod"),
    "LOF": (lambda: our_score("lof", **FEW), lambda: pyod_score("LOF", **FEW), "pyod"),
    "k-NN": (lambda: our_score("knn", k=5, **FEW),
             lambda: pyod_score("KNN", method="mean", **FEW), "pyod"),
    "Fréchet distance": (lambda: our_distance("frechet", 3000, 768),
                         lambda: fidelity_distance("frechet", 3000, 768), "torch-fidelity"),
    "KID": (lambda: our_distance("kid", 3000, 768),
            lambda: fidelity_distance("kid", 3000, 768), "torch-fidelity"),
}  # fmt: skip


def environment() -> Path:
    """The interpreter of the peers' environment; makes it where it is not."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
        own = next(path for path in sys.path if path.endswith("site-packages"))
        (packages,) = ENVIRONMENT.glob("lib/python*/site-packages")
        (packages / "project.pth").write_text(own)  # torch is not installed twice
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS], check=True)
        (ENVIRONMENT / "made").touch()
    return python


def once(python: str, task: str, side: int) -> dict[str, float]:
    """One measurement, in a process of its own."""
    threads = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    command = [python, __file__, "--one", task, str(side)]
    done = subprocess.run(command, env=os.environ | threads | {"PYTHONPATH": path},
                          capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(rounds: int, tasks: list[str]) -> Iterator[tuple[str, float, str, float]]:
    """Rows of name, ours, unit, the peer's."""
    pythons = (sys.executable, str(environment()))
    for task in tasks:
        found = [[once(python, task, side) for side, python in enumerate(pythons)]
                 for _ in range(rounds)]  # fmt: skip
        for part in found[0][0]:
            ours, theirs = (median(pair[side][part] for pair in found) for side in (0, 1))
            unit = {"memory": "MB", "value": "value"}.get(part, "s")
            yield f"{task} ({TASKS[task][2]}), {part}", ours, unit, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(TASKS[args.one[0]][int(args.one[1])]()))
        return
    print("| what | ours | the peer | unit | ratio |\n|---|---|---|---|---|")
    for name, ours, unit, theirs in measure(args.rounds, args.only):
        ratio = f"{theirs / ours:.2f}" if unit != "value" and ours else ""
        print(f"| {name} | {ours:.3g} | {theirs:.3g} | {unit} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
