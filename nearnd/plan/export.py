"""A trained method of a run into a folder of its own (report/model_folder.py)."""

import shlex
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from nearnd import __version__, plugins
from nearnd import config as settings
from nearnd.files.arrays import (
    load_array,
    load_facts,
    replacing,
    save_json,
    save_tensors,
)
from nearnd.files.decode import resize
from nearnd.files.paths import path
from nearnd.files.picture import Form
from nearnd.files.regular import sha256
from nearnd.files.tables import load_names, load_scores
from nearnd.plan import lineage, resources
from nearnd.plan.run import Run
from nearnd.report.conformal import Decision, promise
from nearnd.report.heat import scale_of
from nearnd.report.model_folder import (
    BANK,
    DETECTOR,
    MODEL,
    NORMALS,
    SMALL,
    STAGES,
    VERSION,
    named,
    scorer,
)  # fmt: skip
from nearnd.tasks import Normal

GIVEN = "the config (is --configfile that of the run?)"
AGAIN = 8  # held-out images that are scored once more
MAPS = 64  # held-out images whose maps make the scale
NEAR = 0.5  # deviations of held-out scores between two devices, at most; so other code is noticed


def export(
    run: Run, dataset: str, normal: str, method: str, seed: int, folder: Path,
    root: Path = Path(), command: str = "snakemake --cores all", pictures: bool = True,
) -> str:  # fmt: skip
    """Copies what the method needs into `folder`; returns words about it.

    root: where results/ lies; command: what makes them; pictures: with small copies of the normal
    images. ValueError if a name is unknown, a part has
    not been made, or was made with other entries than those of the run.
    """
    spec = settings.lookup(run.config, "methods", method, GIVEN)
    settings.lookup(run.config, "datasets", dataset, GIVEN)
    task = {"dataset": dataset, "normal": normal, "detector": spec["detector"], "seed": seed}
    files = {DETECTOR: run.detector(**task)}
    if spec["bank"] != "none":
        files[BANK] = path("bank", **task, bank=spec["bank"])
    scores = path("scores", **task, method=method, images="test")
    made = str(Path(scores).with_suffix(".json"))
    pixels = {split: path("images", dataset=dataset, split=split) for split in ("train", "test")}
    wanted = [*files.values(), scores, *pixels.values()]
    missing = [name for name in wanted if not (root / name).exists()]
    if missing or not (root / made).exists():
        missing = missing or [made]
        scored = [at.name for at in (root / scores).parents[3].glob("*")]  # <dataset>/<normal>/...
        if scored and normal not in scored:
            raise plugins.unknown("normal class", normal, scored, f"scores of {dataset}")
        raise ValueError(
            f"{method} on {dataset} ({normal}, seed {seed}) is not finished: there is no"
            f" {root / missing[0]}. If the names are right: {command} -- {shlex.join(missing)}"
        )
    with named(root / made):
        table, record = load_scores(root / scores)
        other = _differ(record["parts"], lineage.parts(run, dataset, method))
        then = {DETECTOR: record["files"]["detector"], BANK: record["files"].get("bank")}
    if other:
        raise ValueError(
            f"{root / scores} was made with other settings of {', '.join(other)} than those given"
            " now. Give the --configfile and --config of that run; or make it with these:"
            f" {command} -- {shlex.quote(scores)}"
        )
    normals = np.flatnonzero(~table["is_anomaly"].astype(bool))
    if not len(normals):
        raise ValueError(
            f"{root / scores} has no normal image, so nothing says what is unusual: the test"
            " split needs normal images"
        )
    held_out = table["score"].to_numpy(np.float32)[normals]
    images = load_array(root / pixels["test"], ndim=4)
    names = load_names(root / pixels["train"])
    trained = np.flatnonzero(Normal.parse(normal).of(names["class"]))  # rows of normal images
    facts = {
        "version": VERSION,
        "nearnd": __version__,
        "date": date.today().isoformat(),
        "made_from": {"dataset": dataset, "normal": normal, "method": method, "seed": seed},
        "training_images": len(trained),
        "detector": settings.arguments(run.config, "detectors", spec["detector"]),
        "score": settings.arguments(run.config, "scores", spec["score"]),
        "seed": record["seed"],
        "threads": resources.threads(run, dataset),
        "images": _read_as(run, dataset, images.shape),
    }
    facts["code"] = {stage: plugins.digest(f"{stage}s", facts[stage]["kind"]) for stage in STAGES}
    rows = _some(normals, AGAIN)
    digests = {name: sha256(root / file) for name, file in files.items()}
    with named(root / files[DETECTOR]):
        score = scorer(facts, *(root / file for file in files.values()))
        found, _ = score(images[rows])
        off = np.abs(found["score"] - table["score"].to_numpy(np.float32)[rows])
    near = off <= NEAR * held_out.std() + 1e-3 * np.abs(held_out).max()
    if not near.all() or any(digests[name] != then[name] for name in digests):
        raise ValueError(
            f"{root / scores} was not made with {' and '.join(map(str, files.values()))} as they"
            f" are now: scores of the same images differ by up to {off.max():.3g}. To make them"
            f" again: {command} --forcerun features bank score -- {scores}"
        )
    if "map" in found:
        facts["map_scale"] = scale_of(score(images[_some(normals, MAPS)])[0]["map"])
        facts["map_share"] = float(load_facts(root / files[DETECTOR]).get("map_share", 1.0))
    (folder / MODEL).unlink(missing_ok=True)  # there is none until all is there
    for name, file in files.items():
        with replacing(folder / name) as part:
            shutil.copyfile(root / file, part)
    if pictures:
        small = resize(load_array(root / pixels["train"], ndim=4)[trained], SMALL)
        save_tensors(folder / NORMALS, {"pixels": small})
        mode = (folder / DETECTOR).stat().st_mode  # safetensors' own is for the owner alone
        (folder / NORMALS).chmod(mode)
        digests[NORMALS] = sha256(folder / NORMALS)
        facts["normals"] = names["id"].iloc[trained].tolist()
    facts["files"] = digests
    facts["held_out_names"] = table["id"].iloc[normals].astype(str).tolist()
    facts["held_out"] = [float(value) for value in np.sort(held_out)]
    save_json(folder / MODEL, facts)
    return f"{folder}: {method} on {dataset} ({normal}); {promise(held_out, Decision())}"


def _some(rows: np.ndarray, n: int) -> np.ndarray:
    """At most n of the rows, evenly spread."""
    return rows[np.linspace(0, len(rows) - 1, min(n, len(rows))).astype(int)]


def _differ(made: dict[str, str], now: dict[str, str]) -> list[str]:
    return sorted(key for key in made.keys() | now.keys() if made.get(key) != now.get(key))


def _read_as(run: Run, dataset: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """How new pictures are read: as the dataset's entry says, the fields of a Form."""
    entry = settings.arguments(run.config, "datasets", dataset)
    given = plugins.defaults("datasets", entry["kind"]) | entry
    as_said = {key: given[key] for key in Form._fields if key in given}
    return as_said | {"size": shape[1], "mode": "RGB" if shape[3] == 3 else "L"}
