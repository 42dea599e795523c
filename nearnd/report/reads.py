"""What tables and figures read, each kind of data declared once: where it lies, and how it is
loaded.

`sources` runs in planning, so nothing heavy is imported at the top.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from nearnd import plugins
from nearnd.config import constant
from nearnd.files.paths import path
from nearnd.report.words import label
from nearnd.tasks import Normal

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
SHOWN, THUMBNAIL = 12, 96  # images of a class in a contact sheet, and their side
POINTS = 2000  # normal images of a test set, and anomalies, whose features are shown

Source = dict[str, Any]  # "file": path or {name: path}; every other key becomes a column


def table(sources: list[Source], load: Callable | None = None):
    """The tables one below the other, the facts about their files as first columns; None if there
    are none."""
    import pandas as pd

    from nearnd.files.tables import load_table

    parts = []
    for source in sources:
        found = (load or load_table)(source["file"])
        facts = {"test" if k == "images" else k: v for k, v in source.items() if k != "file"}
        parts.append(pd.concat([pd.DataFrame(facts, index=found.index), found], axis=1))
    return pd.concat(parts, ignore_index=True) if parts else None


def _scores(sources: list[Source]):
    from nearnd.files.tables import load_scores

    return table(sources, lambda file: load_scores(file)[0])


class Read(NamedTuple):
    """A kind of data."""

    about: str  # what a drawing gets
    sources: Callable[[Any, str], list[Source]]  # of a plan.Run and an experiment with tasks
    load: Callable[[list[Source]], Any] = table


def sources(run, experiment: str, reads: list[str]) -> dict[str, list[Source]]:
    """What a drawing of an experiment reads; of one that unites others all that these have."""
    found: dict[str, dict[str, Source]] = {what: {} for what in reads}
    for what in reads:
        for part in run.parts(experiment):
            for source in READS[what].sources(run, part):
                found[what][json.dumps(source, sort_keys=True)] = source  # each once
    return {what: list(each.values()) for what, each in found.items()}


def files(sources: dict[str, list[Source]]) -> list[str]:
    """All paths in what `sources` gives, each once."""
    paths = []
    for source in (source for each in sources.values() for source in each):
        file = source["file"]
        paths += file.values() if isinstance(file, dict) else [file]
    return list(dict.fromkeys(paths))


def load(about: dict[str, Any]) -> dict[str, Any]:
    """The data of one drawing (see contracts.Drawing).

    about  "sources": see there; "rows" {method: row of a table over several datasets}; "labels"
           {method or row: words}; "copies": test sets that are changed copies
    """
    data: dict[str, Any] = {"labels": about["labels"], "copies": about["copies"]}
    for what, found in about["sources"].items():
        data[what] = _renamed(READS[what].load(found), about["rows"])
    return data


def _renamed(found: Any, rows: dict[str, str]) -> Any:
    """The data with methods called like their rows."""
    if isinstance(found, list):
        if found and hasattr(found[0], "methods"):
            return _called(found, rows)
        return [s | {"method": rows.get(s["method"], s["method"])} if "method" in s else s
                for s in found]  # fmt: skip
    if rows and found is not None and "method" in found:
        keys = [name for name in found if name not in ("value", "n_normal", "n_anomaly", "score")]
        found = found.assign(method=found["method"].replace(rows)).drop_duplicates(keys)
    return found


def _called(sets: list, rows: dict[str, str]) -> list:
    """Paired scores with methods called like their rows, the first of several with one row."""
    from nearnd.report.paired import united

    found = []
    for each in sets:
        names = [rows.get(method, method) for method in each.methods]
        first = [names.index(name) for name in dict.fromkeys(names)]
        found.append(each.methods_at(first, [names[i] for i in first]))
    return united(found)


# ---- where it lies ----


def _closeness(run, experiment: str) -> list[Source]:
    dataset = run.experiment(experiment)["dataset"]
    files = run.closeness(experiment)
    return [{"dataset": dataset, "test": test, "file": file} for test, file in files.items()]


def _overlap(run, experiment: str) -> list[Source]:
    behind = run.fakes_behind(run.experiment(experiment)["methods"])
    found = []
    for each in run.runs(experiment):
        if fakes := behind.get(each["method"]):
            task = {key: each[key] for key in ("dataset", "normal", "seed")}
            images = run.pixels(each["dataset"], each["images"])
            file = {"fakes": path("fakes", **task, fakes=fakes), "images": images}
            found.append(each | {"fakes": fakes, "file": file})
    return found


def _fidelity(run, experiment: str) -> list[Source]:
    generators = dict.fromkeys(run.generated(experiment).values())
    found = [t | {"generator": g} for g in generators for t in run.tasks(experiment)]
    return [each | {"file": path("generator", **each) + "/fidelity.csv"} for each in found]


def _fakes(run, experiment: str) -> list[Source]:
    behind = run.fakes_behind(run.experiment(experiment)["methods"])
    found = []
    for method, fakes in behind.items():
        if fakes in run.generated(experiment) or run.literal("fakes", fakes, "READY_MADE", False):
            for task in run.tasks(experiment):
                # the facts lie beside the images
                file = path("fakes", **task, fakes=fakes).removesuffix(".npy") + ".csv"
                found.append(task | {"fakes": fakes, "method": method, "file": file})
    return found


def _samples(run, experiment: str) -> list[Source]:
    """Of the first seed of each task; the first fakes of each kind and each kind of generator."""
    test, found = run.experiment(experiment)["tests"][0], []
    generator = next(iter(run.generated(experiment).values()), None)
    shown = _one_of_each(run, experiment)
    for task in run.tasks(experiment):
        if task["seed"] != run.config["seeds"][0]:
            continue
        dataset = task["dataset"]
        files = {"real": run.pixels(dataset, "train"), "anomalies": run.pixels(dataset, test)}
        if test in (close := run.closeness(experiment)):
            files["closeness"] = close[test]
        files |= {f"fakes {words}": path("fakes", **task, fakes=f) for words, f in shown.items()}
        if generator:
            place = path("generator", **task, generator=generator)
            files |= {"previews": f"{place}/previews.npy", "fidelity": f"{place}/fidelity.csv"}
        found.append(task | {"file": files})
    return found


def _one_of_each(run, experiment: str) -> dict[str, str]:
    """{words: fakes}: which generator drew them is said where there are several kinds."""
    found: dict[str, dict[str, str]] = {}
    generated = run.generated(experiment)
    for name in run.shown(experiment):
        kind, by = run.config["fakes"][name]["kind"], ""
        if name in generated:
            by = label("generators", run.config["generators"][generated[name]]["kind"])
        found.setdefault(label("fakes", kind), {}).setdefault(by, name)
    return {
        f"{words}, {by}" if len(names) > 1 else words: name
        for words, names in found.items()
        for by, name in names.items()
    }


def _images(run, experiment: str) -> list[Source]:
    spec = run.experiment(experiment)
    dataset, sets = spec["dataset"], dict.fromkeys(["train", *spec["tests"]])
    return [{"dataset": dataset, "images": i, "file": run.pixels(dataset, i)} for i in sets]


def has_map(config: dict[str, Any], method: str) -> bool:
    """Whether a method says where an image is anomalous: its score, or else its detector."""
    spec = config["methods"][method]
    embeds = constant(config, "detectors", spec["detector"], "EMBEDS", [])
    return "map" in embeds or constant(config, "scores", spec["score"], "MAP", False)


def _maps(run, experiment: str) -> list[Source]:
    """Of the dataset's own test images, by the methods that have some."""
    found = []
    for each in run.runs(experiment):
        if each["images"] != "test" or not has_map(run.config, each["method"]):
            continue
        method = run.config["methods"][each["method"]]
        task = {key: each[key] for key in ("dataset", "normal", "seed")}
        behind = task | {"detector": method["detector"]}
        source = task | {"method": each["method"]}
        files = {
            "queries": run.features(**behind, images="test"),
            "images": run.pixels(each["dataset"], "test"),
            "detector": run.detector(**behind),
        }
        if run.literal("scores", method["score"], "MAP", False):
            source["entry"] = run.entry("scores", method["score"])
            files["scores"] = path("scores", **each)  # another code of the score draws again
            if method["bank"] != "none":
                files["bank"] = path("bank", **behind, bank=method["bank"])
        found.append(source | {"file": files})
    return found


def _features(run, experiment: str) -> list[Source]:
    """Of the first task, of each detector of a method once."""
    first, found = run.tasks(experiment)[0], {}
    for each in run.runs(experiment):
        method = run.config["methods"][each["method"]]
        embeds = run.literal("detectors", method["detector"], "EMBEDS", [])
        if {key: each[key] for key in first} == first and "features" in embeds:
            key = method["detector"], each["images"]
            file = {
                "features": run.features(**first, detector=key[0], images=each["images"]),
                "images": run.pixels(each["dataset"], each["images"]),
            }
            found.setdefault(key, each | {"file": file})
    return list(found.values())


def _samplers(run, experiment: str) -> list[Source]:
    samplers, found = run.config["samplers"], []
    for name in run.experiment(experiment)["samplers"]["compare"]:
        for task in run.tasks(experiment):
            names = {"normal": task["normal"], "seed": task["seed"], "sampler": name}
            file = path("sampler", experiment=experiment, **names)
            label = samplers[name].get("label", name)
            found.append(task | {"sampler": name, "label": label, "file": file})
    return found


# ---- how it is loaded ----


def published(_: list[Source]):
    """The published numbers of all papers."""
    import pandas as pd

    from nearnd.files.tables import load_table

    columns = "table", "row", "column", "value"
    return pd.concat([load_table(file, *columns) for file in PUBLISHED.glob("*.csv")])


def _each(one: Callable[[Source], dict[str, Any]]) -> Callable[[list[Source]], list[dict]]:
    """A list of what `one` makes of each source, with the facts about it."""

    def load(sources: list[Source]) -> list[dict]:
        return [{k: v for k, v in s.items() if k != "file"} | one(s) for s in sources]

    return load


def _sample(source: Source) -> dict[str, Any]:
    """Images to look at, of one task."""
    import numpy as np

    from nearnd.files.arrays import load_array
    from nearnd.files.tables import load_images, load_table

    files, normal = source["file"], Normal.parse(source["normal"])
    real, images = load_images(files["real"]), load_images(files["anomalies"])
    shown = 64 if real.pixels.shape[1] <= 64 else 16  # of large images few fill a figure
    names = dict.fromkeys(images.names[~normal.of(images.names)])
    sample = {
        "real": real.pixels[np.flatnonzero(normal.of(real.names))[:shown]],
        "anomalies": {
            str(name): images.pixels[np.flatnonzero(images.names == name)[:shown]] for name in names
        },
        "fakes": {
            key.removeprefix("fakes "): load_array(file, ndim=4, dtype="uint8")[:shown]
            for key, file in files.items()
            if key.startswith("fakes ")
        },
    }
    if "closeness" in files:
        close = load_table(files["closeness"], "normal", "anomaly", "closeness")
        close = close[close["normal"] == source["normal"]]
        if len(close):  # not for all but one, nor for all
            sample["near"] = close.loc[close["closeness"].idxmax(), "anomaly"]
    if "previews" in files:
        sample["previews"] = load_array(files["previews"], ndim=5, dtype="uint8")
        sample["steps"] = load_table(files["fidelity"], "step")["step"].to_numpy()
    return sample


def _map(source: Source) -> dict[str, Any]:
    """The test images of a task with the anomaly maps of a method: those that its score gives, in
    a job of its own from the same seed, or those of the detector."""
    from nearnd.files.arrays import load_facts, load_tensors
    from nearnd.files.tables import load_images
    from nearnd.jobs.job import job_seed

    files = source["file"]
    images, (found, _) = load_images(files["images"]), load_tensors(files["queries"])
    if "entry" in source:
        found.pop("row")
        bank = load_tensors(files["bank"])[0] if "bank" in files else {}
        names = {k: str(source[k]) for k in ("dataset", "normal", "method", "seed")}
        seed = job_seed(names["seed"], "score", names | {"images": "test"})
        found = plugins.build("scores", source["entry"])(bank, found, seed=seed)
    return {
        "pixels": images.pixels,
        "masks": images.masks,
        "class": images.names,
        "is_anomaly": ~Normal.parse(source["normal"]).of(images.names),
        "map": found["map"],
        "share": load_facts(files["detector"]).get("map_share", 1.0),
    }


def _shared(sources: list[Source]):
    """A row for each, with how many images of a test set are among the fakes of training."""
    import pandas as pd

    from nearnd.files.arrays import load_array
    from nearnd.jobs.duplicates import repeats

    rows = []
    for source in sources:
        row = {key: v for key, v in source.items() if key not in ("file", "images")}
        fakes, images = (
            load_array(source["file"][k], ndim=4, dtype="uint8") for k in ("fakes", "images")
        )
        alike = fakes.shape[1:] == images.shape[1:]
        row |= {"test": source["images"], "n": len(images)}
        rows.append(row | {"in_fakes": len(repeats(fakes, images)) if alike else 0})
    return pd.DataFrame(rows)


def _sheet(source: Source) -> dict[str, Any]:
    """Some images of each class of an image set, small and evenly picked along its order."""
    import numpy as np

    from nearnd.files.decode import resize
    from nearnd.files.tables import load_images

    images, classes = load_images(source["file"]), {}
    names = images.names
    for name in sorted(set(names), key=lambda name: images.labels[names == name][0]):
        there = np.flatnonzero(names == name)
        rows = there[np.linspace(0, len(there) - 1, min(SHOWN, len(there))).astype(int)]
        some = images.rows(rows)
        side = min(THUMBNAIL, some.pixels.shape[1])
        step = max(1, some.pixels.shape[1] // side)
        classes[str(name)] = {
            "n": len(there),
            "pixels": resize(np.asarray(some.pixels), side),
            "masks": None if some.masks is None else some.masks[:, ::step, ::step],
        }
    return {"classes": classes}


def _embedded(source: Source) -> dict[str, Any]:
    """Features of some images of a set, evenly picked along its order, of either group."""
    import numpy as np

    from nearnd.files.arrays import load_rows
    from nearnd.files.tables import load_names

    images = load_names(source["file"]["images"])
    anomalous = ~Normal.parse(source["normal"]).of(images["class"].to_numpy(str))
    there = [np.flatnonzero(anomalous == group) for group in (False, True)]
    rows = np.concatenate(
        [at[np.linspace(0, len(at) - 1, min(POINTS, len(at))).astype(int)] for at in there]
    )
    features = load_rows(source["file"]["features"], len(images))["features"]
    return {
        "test": source["images"],
        "id": images["id"].to_numpy(str)[rows],
        "is_anomaly": anomalous[rows],
        "features": np.asarray(features[rows]),
    }


def _paired(sources: list[Source]) -> list:
    """The paired scores of all experiments."""
    from nearnd.report.paired import load

    return [each for source in sources for each in load(source["file"])]


READS = {
    "metrics": Read(
        "DataFrame dataset, normal, method, test, seed, metric, anomaly, value, n_normal,"
        " n_anomaly",
        lambda run, experiment: [{"file": path("metrics", experiment=experiment)}],
    ),
    "slices": Read(
        "DataFrame dataset, normal, method, test, seed, corruption, severity, metric, value: of the"
        " test sets that are changed copies, no rows if there are none",
        lambda run, experiment: [{"file": path("slices", experiment=experiment)}],
    ),
    "scores": Read(
        "DataFrame dataset, normal, method, test, seed, id, class, is_anomaly, score",
        lambda run, experiment: [r | {"file": path("scores", **r)} for r in run.runs(experiment)],
        _scores,
    ),
    "paired": Read(
        "list of report.paired.Paired, one for each dataset and test set that is no changed copy:"
        " the scores of all methods on the same images",
        lambda run, experiment: [{"file": path("paired", experiment=experiment)}],
        _paired,
    ),
    "closeness": Read(
        "DataFrame dataset, test, normal, anomaly, closeness; None if it has none", _closeness
    ),
    "overlap": Read(
        "DataFrame dataset, normal, seed, fakes, method, test, n, in_fakes: of the n images of a"
        " test set, those that are among the fakes of training",
        _overlap,
        _shared,
    ),
    "fidelity": Read(
        "DataFrame dataset, normal, generator, seed, step, n_real, n_fake, <measures>", _fidelity
    ),
    "fakes": Read(
        "DataFrame dataset, normal, fakes, method, seed, n, step, copies, <measures>", _fakes
    ),
    "samples": Read(
        "list of dicts: dataset, normal, real, anomalies {class: images}, fakes {words: images},"
        " and where the experiment has them near (a class), previews, steps",
        _samples,
        _each(_sample),
    ),
    "images": Read(
        'list of dicts, one for each image set: dataset, images ("train" or a test set), classes'
        " {name: {n: how many, pixels: some of them, masks: theirs or None}}",
        _images,
        _each(_sheet),
    ),
    "maps": Read(
        "list of dicts, one for each task and each method whose score or detector gives maps:"
        " dataset, normal, method, seed; of the dataset's own test images pixels, masks (or None),"
        " class, is_anomaly (N,), map (N, h, w), and share: the part of the image's side, around"
        " its centre, that the map covers",
        _maps,
        _each(_map),
    ),
    "features": Read(
        "list of dicts, one for each test set and each detector of a method, of the first normal"
        " class and seed: dataset, normal, method, test, and of some images id, is_anomaly (N,),"
        " features (N, D)",
        _features,
        _each(_embedded),
    ),
    "samplers": Read(
        "DataFrame dataset, normal, seed, sampler, label, setting, value, repeat, n_real, n_fake,"
        " calls, seconds, <measures>",
        _samplers,
    ),
    "published": Read(
        "DataFrame source, table, row, column, value, note", lambda run, experiment: [], published
    ),
}
