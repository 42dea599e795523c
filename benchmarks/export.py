"""Start-up and images/s of `nearnd score`, by PyTorch and by an ONNX file, beside other work.

    python benchmarks/export.py --mirrors FOLDER [--images 60] [--peer PYTHON]

Processor seconds of whole commands in one thread, so that other work on the machine counts little:
the start is a command with one image, the rate what each further image takes. PatchCore on
EfficientNet-Lite0 at 224 pixels, bricks of tests/bricks.py. --peer is the Python of an environment
with anomalib and openvino (pip install anomalib onnxruntime openvino): export_peer.py.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bricks import bricks  # noqa: E402

CLI = [sys.executable, "-m", "nearnd.cli"]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NEARND_CORES"), "1")


def seconds(*command: object) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    subprocess.run(
        [str(word) for word in command], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepared(folder: Path, train: int, images: int, mirrors: list[str]) -> dict[str, Path]:
    """Pictures to learn from, one and several to score, and the models."""
    there = {name: folder / name for name in ("learn", "one", "new", "model", "model.onnx")}
    if not there["model.onnx"].exists():
        for name, n in (("learn", train), ("one", 1), ("new", images)):
            made = bricks(folder / "made" / name, train=n, test=0, seed=len(name))
            shutil.move(made / "train/good", there[name])
        how = ["--method", "own_patchcore", *(["--mirrors", *mirrors] if mirrors else [])]
        subprocess.run([*CLI, "fit", there["learn"], there["model"], *how], check=True, cwd=ROOT)
        given = [there["model"], "--onnx", there["model.onnx"], "--images", there["learn"]]
        subprocess.run([*CLI, "export", *given], check=True, cwd=ROOT)
    return there


def measure(there: dict[str, Path], rounds: int) -> list[tuple[str, float, float]]:
    """Rows of name, start in processor seconds, images a processor second; the best of `rounds`,
    by turns."""
    n = len(list(there["new"].iterdir()))
    found: dict[str, list[list[float]]] = {"model": [], "model.onnx": []}
    for _ in range(rounds):
        for name, times in found.items():
            command = [*CLI, "score", there[name]]
            out = ["--out", there["model"].with_name("scores.csv")]
            times.append([seconds(*command, there[images], *out) for images in ("one", "new")])
    rows = []
    for name, times in found.items():
        one, all_ = (min(column) for column in zip(*times, strict=True))
        rows.append((f"nearnd score, {name}", one, (n - 1) / (all_ - one)))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=50)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--mirrors", nargs="*", default=[])
    parser.add_argument("--peer", help="a Python with anomalib and openvino")
    parser.add_argument("--folder", type=Path, help="where all is kept, for a second run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        there = prepared(folder, args.train, args.images, args.mirrors)
        print("name,start in processor s,images a processor s")
        for name, start, rate in measure(there, args.rounds):
            print(f'"{name}",{start:.3g},{rate:.3g}', flush=True)
        if args.peer:
            peer = [args.peer, Path(__file__).with_name("export_peer.py"), folder]
            subprocess.run([str(word) for word in peer], check=True, env=os.environ | ONE_THREAD)


if __name__ == "__main__":
    main()
