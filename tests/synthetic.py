"""A made-up experiment for the tests of tables and figures: planted truths, no model, no file."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nearnd.metrics.auroc import auroc
from nearnd.report import paired

MEASURES = ["frechet", "kid", "density", "coverage"]


def experiment(classes: int = 4, methods: int = 3, seeds: int = 2, per_class: int = 40) -> dict:
    """Everything a Drawing may read. Method i is better than method i - 1; class c + 1 is the
    nearest to class c; each method was trained on its own fakes, `fakes0` stopped first."""
    names = [f"class {c}" for c in range(classes + 1)]  # the last one is never normal
    who = [f"method{m}" for m in range(methods)]
    rng = np.random.default_rng(0)
    scores, metrics, closeness, fidelity, fakes, samples = [], [], [], [], [], []
    for c in range(classes):
        normal, near = names[c], names[c + 1]
        common = {"dataset": "shapes", "normal": normal}
        others = [name for name in names if name != normal]
        share = np.array([3.0 if name == near else 1.0 for name in others])
        closeness += [
            {**common, "anomaly": name, "closeness": s}
            for name, s in zip(others, share / share.sum(), strict=True)
        ]
        for seed in range(seeds):
            for m, method in enumerate(who):
                run = {**common, "method": method, "test": "own", "seed": seed}
                shift = np.array([_shift(c, n) for n in range(len(names))])
                shift = np.repeat(shift * (1 + m / methods), per_class)
                value = np.exp(rng.normal(size=len(shift)) + shift).astype(np.float32)
                label = np.repeat(names, per_class)
                scores.append(pd.DataFrame({
                    **run, "id": [f"{i:05d}" for i in range(len(label))], "class": label,
                    "is_anomaly": label != normal, "score": value}))  # fmt: skip
                for anomaly in ["rest", *others]:
                    keep = label != "" if anomaly == "rest" else np.isin(label, [normal, anomaly])
                    area = auroc(value[keep], label[keep] != normal)
                    sizes = {"n_normal": per_class, "n_anomaly": keep.sum() - per_class}
                    metrics.append({**run, "metric": "auroc", "anomaly": anomaly, "value": area,
                                    **sizes})  # fmt: skip
                metrics.append({**run, "metric": "fpr95", "anomaly": "rest", "value": 0.3 - m / 50,
                                **sizes})  # fmt: skip
                fakes.append({**common, "fakes": f"fakes{m}", "method": method, "seed": seed,
                              "n": 100, "step": 400 * 3**m, "copies": 0.01 * m,
                              "frechet": 300 / 3**m + c, "kid": 0.3 / 3**m,
                              "density": 0.5, "coverage": 0.1 * (m % 9)})  # fmt: skip
            for step in (100, 200, 400, 800, 1600, 3200):
                fidelity.append({**common, "generator": "sde", "seed": seed, "step": step,
                                 "loss": 1.0, "seconds": 9.0, "frechet": 4e4 * (c + 1) / step,
                                 "kid": 40 / step - 0.02, "density": 1 - 80 / step / (c + 1),
                                 "coverage": 1 - 90 / step})  # fmt: skip
        samples.append({**common, "near": near, **_pictures(rng, c, others)})
    keys = ["dataset", "normal", "method", "test", "seed"]
    runs = [table.iloc[0][keys].to_dict() for table in scores]
    runs = [run | {"images": run.pop("test")} for run in runs]
    return {
        "metrics": pd.DataFrame(metrics),
        "scores": pd.concat(scores, ignore_index=True),
        "paired": paired.collect(runs, scores),
        "closeness": pd.DataFrame(closeness),
        "fidelity": pd.DataFrame(fidelity),
        "fakes": pd.DataFrame(fakes),
        "samples": samples,
        "images": [sheet(names, split) for split in ("train", "test")],
        "samplers": samplers(names[:classes], seeds),
        "slices": slices(names[:classes], who, seeds),
        "overlap": pd.DataFrame([
            {"dataset": "shapes", "normal": c, "seed": 0, "fakes": f"fakes{m}", "method": method,
             "test": "fsde.test", "n": 100, "in_fakes": 7 * m}
            for m, method in enumerate(who) for c in names[:classes]]),
        "features": features(who[:2], rng),
        "maps": maps(names, who[:1], classes, seeds),
        "copies": ["shapes_c.test"],
        "published": pd.DataFrame(
            [["fitymi", "6", "Ours, bottom-1", "Class 0", 80.0, np.nan],
             ["fitymi", "6", "Ours, bottom-1", "mean", 81.0, "a known slip"]],
            columns=["source", "table", "row", "column", "value", "note"]),
        "labels": {"shapes": "Shapes", "sde": "score SDE",
                   **{name: f"Method {m}" for m, name in enumerate(who)}},
    }  # fmt: skip


def united(first: dict, second: dict, factor: float = 0.9) -> dict:
    """Two experiments together; the second one's dataset is `rings`, its AUROCs times `factor`."""
    found = {"labels": first["labels"] | second["labels"] | {"rings": "Rings"}}
    for what, rows in first.items():
        if isinstance(rows, pd.DataFrame):
            more = second[what]
            more = more.assign(dataset="rings") if "dataset" in more else more.iloc[:0]
            if what in ("metrics", "slices"):
                more = more.assign(value=factor * more["value"])
            found[what] = pd.concat([rows, more], ignore_index=True)
        elif what != "labels":
            more = [named(row, "rings") for row in second[what] if not isinstance(row, str)]
            found[what] = rows + more
    return found


def named(row, dataset: str):
    return row | {"dataset": dataset} if isinstance(row, dict) else row._replace(dataset=dataset)


def dataset_of(row) -> str:
    return row["dataset"] if isinstance(row, dict) else row.dataset


def only(data: dict, dataset: str) -> dict:
    """What a united experiment has of one dataset."""
    found = {}
    for what, rows in data.items():
        if isinstance(rows, pd.DataFrame) and "dataset" in rows:
            rows = rows[rows["dataset"] == dataset].reset_index(drop=True)
        elif isinstance(rows, list):
            rows = [r for r in rows if isinstance(r, str) or dataset_of(r) == dataset]
        found[what] = rows
    return found


def features(methods: list[str], rng: np.random.Generator) -> list[dict]:
    """Normal images around 0, anomalies around 9 in all eight directions; of the corrupted copy,
    fog leaves the images where they are and snow takes them to -9."""
    anomalous = np.arange(40) >= 20

    def around(middle) -> np.ndarray:
        return rng.normal(np.asarray(middle)[:, None], 1.0, (40, 8)).astype(np.float32)

    base = {"dataset": "shapes", "normal": "class 0", "seed": 0, "is_anomaly": anomalous}
    own = np.where(anomalous, 9, 0)
    snow = np.arange(40) % 2 == 1
    ids = np.array([f"{'snow' if s else 'fog'}/1/{i}" for i, s in enumerate(snow)])
    return [
        base | {"method": method, "test": test, "id": ids, "features": around(middle)}
        for method in methods
        for test, middle in (("own", own), ("shapes_c.test", np.where(snow, -9, own)))
    ]


def sheet(names: list[str], split: str, size: int = 16) -> dict:
    """An image set whose class c has c + 1 images of the grey level 10 c, the lower half marked."""
    masks = np.zeros((len(names), size, size), np.uint8)
    masks[:, size // 2 :] = 1
    return {
        "dataset": "shapes",
        "images": split,
        "classes": {
            name: {"n": c + 1, "pixels": np.full((c + 1, size, size, 3), 10 * c, np.uint8),
                   "masks": masks[: c + 1] if split == "test" else None}
            for c, name in enumerate(names)
        },
    }  # fmt: skip


def slices(normals: list[str], methods: list[str], seeds: int) -> pd.DataFrame:
    """AUROC falls by 0.05 for each severity of fog and by 0.01 of snow; method i loses 0.02 i,
    seed 1 loses 0.01."""
    found = [
        {"dataset": "shapes", "normal": normal, "method": method, "test": "shapes_c.test",
         "seed": seed, "corruption": corruption, "severity": severity, "metric": "auroc",
         "value": 0.95 - 0.02 * m - fall * severity - 0.01 * seed}
        for normal in normals
        for m, method in enumerate(methods)
        for seed in range(seeds)
        for corruption, fall in (("fog", 0.05), ("snow", 0.01))
        for severity in range(1, 6)
    ]  # fmt: skip
    return pd.DataFrame(found)


def samplers(normals: list[str], seeds: int) -> pd.DataFrame:
    """Two ways to draw: `slow` reaches distance 2 at 1000 calls, `fast` 2.05 at 20 and 10."""
    found = []
    for label, setting, reached in [
        ("slow", "steps", {50: 9.0, 500: 2.0}), ("fast", "steps", {5: 3.0, 10: 2.05, 20: 2.05}),
    ]:  # fmt: skip
        for normal in normals:
            for seed in range(seeds):
                found += [
                    {"dataset": "shapes", "normal": normal, "seed": seed, "sampler": label,
                     "label": label, "setting": setting, "value": value, "repeat": repeat,
                     "n_real": 50, "n_fake": 100, "calls": value * (1 + (label == "slow")),
                     "seconds": value / 100, "frechet": distance + 0.1 * (repeat - 1),
                     "kid": distance / 10 - 0.2 + 0.01 * (repeat - 1)}
                    for value, distance in reached.items()
                    for repeat in range(3)
                ]  # fmt: skip
    return pd.DataFrame(found)


def maps(names: list[str], methods: list[str], normals: int, seeds: int) -> list[dict]:
    """Two images of each class; anomalies have a marked square, the higher in the map the later
    the class."""
    pixels = np.full((2 * len(names), 18, 18, 1), 90, np.uint8)
    classes, found = np.repeat(names, 2), []
    for normal in names[:normals]:
        anomalous = classes != normal
        level = np.arange(len(classes)) * anomalous
        found += [
            {"dataset": "shapes", "normal": normal, "method": method, "seed": seed,
             "pixels": pixels, "masks": np.pad(np.ones((len(classes), 4, 4), np.uint8),
             [(0, 0), (7, 7), (7, 7)]) * anomalous[:, None, None], "class": classes,
             "is_anomaly": anomalous, "share": 16 / 18,
             "map": np.pad(np.ones((len(classes), 2, 2)), [(0, 0), (1, 1), (1, 1)]).astype(
             np.float32) * level[:, None, None].astype(np.float32)}
            for method in methods for seed in range(seeds)
        ]  # fmt: skip
    return found


def _shift(normal: int, other: int) -> float:
    """How far a class lies from the normal one; the second nearest may look nearest by chance."""
    return {0: 0.0, 1: 1.0, 2: 1.15}.get(other - normal, 2.0)


def _pictures(rng: np.random.Generator, c: int, others: list[str], size: int = 16) -> dict:
    """Discs whose radius is the class; fakes are noisier the earlier the snapshot."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2

    def discs(radius: float, noise: float, n: int = 10) -> np.ndarray:
        image = np.where(np.hypot(y, x) < radius, 200, 30) + rng.normal(
            0, noise, (n, size, size)
        )  # (n, H, W)
        return image.clip(0, 255).astype(np.uint8)[..., None]

    steps = np.array([100, 200, 400, 800, 1600, 3200])
    return {
        "real": discs(2 + c / 3, 10),
        "anomalies": {name: discs(3 + i / 3, 10) for i, name in enumerate(others)},
        "fakes": {"fakes": discs(2 + c / 3, 50)},
        "previews": np.stack([discs(2 + c / 3, 12000 / step) for step in steps]),
        "steps": steps,
    }
