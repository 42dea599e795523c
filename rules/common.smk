# Functions only: validation, entries, paths, input functions. No rule stands here.
import json
import os
import shutil
from pathlib import Path

from snakemake.exceptions import WorkflowError

from nearnd import config as settings
from nearnd import plugins

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
CLASS = r"[^/.][^/]*"


# ---- configuration ----


def checked(config):
    """The config over the catalog, or one sentence about what is wrong with it."""
    base = Path(workflow.basedir)
    try:
        whole = settings.lay_over(
            settings.read_catalog(base / "config/catalog"), config
        )
        validate(whole, str(base / "workflow/schemas/config.schema.yaml"))
        settings.check(whole)
    except ValueError as error:
        raise WorkflowError(f"config: {error}") from None
    captions = {
        file.stem: file.read_text() for file in base.glob("workflow/report/*.rst")
    }
    return whole | {"captions": captions}  # read by workflow/report/drawing.rst


def workflow_environment(config):
    """Machine settings go to jobs through the environment: a change of them re-runs nothing."""
    os.environ.update(
        NEARND_DEVICE=config["device"], NEARND_MIRRORS=json.dumps(config["mirrors"])
    )


def entry(section, name):
    """What `build` gets: the kind and its arguments."""
    return settings.arguments(config, section, name)


def digest(section, name):
    """A hash of the code behind an entry."""
    stage = settings.STAGE.get(section, section)
    return plugins.digest(stage, config[section][name]["kind"])


def literal(section, name, what, default=None):
    return settings.constant(config, section, name, what, default)


# ---- resources ----


def size_of(dataset):
    return config["datasets"][dataset].get("size", 8)


def threads_of(dataset):
    """Small images leave cores idle: run tasks beside each other instead."""
    return 1 if size_of(dataset) <= 16 else 4


def threads_of_detector(dataset):
    return 1 if dataset == "any" else threads_of(dataset)


def gpus():
    """1 where jobs compute on a GPU, so that the profile's limit keeps them apart."""
    device = config["device"]
    return int(
        device.startswith("cuda")
        or (device == "auto" and bool(shutil.which("nvidia-smi")))
    )


# ---- paths ----


def pixels_of(dataset, split):
    return f"results/images/{dataset}/{split}.npy"


def pixels_of_set(dataset, images):
    """The pixels behind an image set: the dataset's own split, or `<other>.test`."""
    if images in ("train", "test"):
        return pixels_of(dataset, images)
    return pixels_of(images.removesuffix(".test"), "test")


def archives_of(dataset):
    kind = config["datasets"][dataset]["kind"]
    archives = plugins.constant("datasets", kind, "ARCHIVES", [])
    return {a["name"]: f"results/archives/{kind}/{a['name']}.json" for a in archives}


def archive_of(kind, name):
    """What is known about a file to fetch: names, links, checksum."""
    archives = plugins.constant("datasets", kind, "ARCHIVES", [])
    return next(archive for archive in archives if archive["name"] == name)


def backbone_of(name):
    return f"results/backbones/{name}.safetensors"


def shared(detector):
    """Whether all tasks of a dataset share the detector and its features."""
    return literal("detectors", detector, "ONE_MODEL", False)


def detector_of(dataset, normal, detector, seed):
    if shared(detector):
        dataset, normal, seed = "any", "any", 0
    return f"results/detectors/{dataset}/{normal}/{detector}/seed{seed}.safetensors"


def generator_of(dataset, normal, generator, seed):
    return f"results/generators/{dataset}/{normal}/{generator}/seed{seed}"


def fakes_file(dataset, normal, fakes, seed, ending):
    return f"results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.{ending}"


def features_of(dataset, normal, detector, seed, images):
    if shared(detector):
        if images not in ("train", "test"):
            dataset, images = images.removesuffix(".test"), "test"
        normal, seed = "any", 0
    return f"results/features/{dataset}/{normal}/{detector}/seed{seed}/{images}.safetensors"


def scores_of(dataset, normal, method, images, seed):
    return f"results/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.csv"


# ---- inputs of rules ----


def archives_input(wildcards):
    return list(archives_of(wildcards.dataset).values())


def folders_input(wildcards):
    """The user's own files: a change in them makes the images again."""
    return (
        plugins.call("datasets", entry("datasets", wildcards.dataset), "inputs") or []
    )


def backbone_input(wildcards):
    dataset = config["backbones"][wildcards.backbone].get("dataset")
    return [pixels_of(dataset, "train")] if dataset else []


def monitor_of(generator):
    return config["monitors"][config["generators"][generator]["monitor"]]


def generator_input(wildcards):
    watcher = monitor_of(wildcards.generator)["detector"]
    return {
        "pixels": pixels_of(wildcards.dataset, "train"),
        "watcher": detector_of(
            wildcards.dataset, wildcards.normal, watcher, wildcards.seed
        ),
    }


def fakes_input(wildcards):
    source = config["fakes"][wildcards.fakes]
    files = {"pixels": pixels_of(wildcards.dataset, "train")}
    if "generator" in source:
        w = wildcards
        place = generator_of(w.dataset, w.normal, source["generator"], w.seed)
        files |= {
            "snapshots": f"{place}/snapshots",
            "fidelity": f"{place}/fidelity.csv",
        }
    if "dataset" in source:
        files["others"] = pixels_of(source["dataset"], "train")
    return files


def detector_input(wildcards):
    spec = config["detectors"][wildcards.detector]
    files = {}
    if not shared(wildcards.detector):
        files["pixels"] = pixels_of(wildcards.dataset, "train")
    if "backbone" in spec:
        files["backbone"] = backbone_of(spec["backbone"])
    if "outliers" in spec:
        w = wildcards
        files["outliers"] = fakes_file(
            w.dataset, w.normal, spec["outliers"], w.seed, "npy"
        )
    return files


def features_input(wildcards):
    w = wildcards
    return {
        "train": pixels_of(w.dataset, "train"),
        "test": pixels_of(w.dataset, "test"),
        "detector": detector_of(w.dataset, w.normal, w.detector, w.seed),
    }


def features_elsewhere_input(wildcards):
    w = wildcards
    return {
        "pixels": pixels_of(w.other, "test"),
        "detector": detector_of(w.dataset, w.normal, w.detector, w.seed),
    }


def bank_input(wildcards):
    w = wildcards
    return {
        "pixels": pixels_of(w.dataset, "train"),
        "features": features_of(w.dataset, w.normal, w.detector, w.seed, "train"),
    }


def score_input(wildcards):
    w = wildcards
    method = config["methods"][w.method]
    files = {
        "pixels": pixels_of_set(w.dataset, w.images),
        "queries": features_of(
            w.dataset, w.normal, method["detector"], w.seed, w.images
        ),
    }
    if method["bank"] != "none":
        task = f"{w.dataset}/{w.normal}/{method['detector']}/{method['bank']}"
        files["bank"] = f"results/banks/{task}/seed{w.seed}.safetensors"
    return files


def closeness_input(wildcards):
    w = wildcards
    spec = config["closeness"][w.closeness]
    other = w.dataset if w.images == "test" else w.images.removesuffix(".test")
    return {
        "pixels": pixels_of(w.dataset, "train"),
        "others": pixels_of(other, "train"),
        "features": features_of(w.dataset, "any", spec["detector"], 0, "train"),
        "other_features": features_of(other, "any", spec["detector"], 0, "train"),
    }


def generator_behind(fakes):
    """The entry of the generator that fakes are drawn from, None if from elsewhere."""
    name = config["fakes"][fakes].get("generator")
    return entry("generators", name) if name else None


# ---- experiments ----


def experiment_of(name):
    return settings.DEFAULTS | config["experiments"][name]


def runs_of(experiment):
    """One dict for each score file of an experiment."""
    spec = experiment_of(experiment)
    images = list(
        dict.fromkeys(["test", *spec["tests"]])
    )  # others need the normals of `test`
    return [
        {"dataset": spec["dataset"], "normal": n, "method": m, "images": i, "seed": s}
        for n in settings.normals(config, experiment)
        for m in spec["methods"]
        for i in images
        for s in config["seeds"]
    ]


def metrics_input(wildcards):
    return [scores_of(**run) for run in runs_of(wildcards.experiment)]


def fakes_behind(methods):
    """{method: fakes} of the methods that were trained on some."""
    detectors = {
        m: config["detectors"][config["methods"][m]["detector"]] for m in methods
    }
    return {m: d["outliers"] for m, d in detectors.items() if "outliers" in d}


def fakes_of(experiment):
    """The sets of generated fakes behind the methods of an experiment, {fakes: generator}."""
    spec = experiment_of(experiment)
    names = list(fakes_behind(spec["methods"]).values())
    if "fakes" in spec:  # the one whose samples are shown comes first
        names.insert(0, spec["fakes"])
    return {
        f: config["fakes"][f]["generator"]
        for f in names
        if "generator" in config["fakes"][f]
    }


def closeness_file(experiment, images):
    spec = experiment_of(experiment)
    return f"results/closeness/{spec['dataset']}/{spec['closeness']}/{images}.csv"


def sources_of(experiment, reads):
    """What a drawing reads: {name: [{"file": path, column: value, ...}, ...]}."""
    spec = experiment_of(experiment)
    tasks = [
        {"dataset": spec["dataset"], "normal": n, "seed": s}
        for n in settings.normals(config, experiment)
        for s in config["seeds"]
    ]
    sources = {}
    if "metrics" in reads:
        sources["metrics"] = [{"file": f"results/metrics/{experiment}.csv"}]
    if "scores" in reads:
        sources["scores"] = [
            run | {"file": scores_of(**run)} for run in runs_of(experiment)
        ]
    if "closeness" in reads and "closeness" in spec:
        sources["closeness"] = [
            {
                "dataset": spec["dataset"],
                "test": t,
                "file": closeness_file(experiment, t),
            }
            for t in spec["tests"]
        ]
    if "fidelity" in reads:
        generators = dict.fromkeys(fakes_of(experiment).values())
        found = [task | {"generator": g} for g in generators for task in tasks]
        sources["fidelity"] = [
            f | {"file": f"{generator_of(**f)}/fidelity.csv"} for f in found
        ]
    if "fakes" in reads:
        shown = fakes_of(experiment)
        behind = {m: f for m, f in fakes_behind(spec["methods"]).items() if f in shown}
        sources["fakes"] = [
            t
            | {"fakes": f, "method": m, "file": fakes_file(**t, fakes=f, ending="csv")}
            for m, f in behind.items()
            for t in tasks
        ]
    if "samples" in reads:
        sources["samples"] = samples_of(experiment, tasks)
    return sources


def samples_of(experiment, tasks):
    """Images to look at, for the first seed of each task."""
    spec = experiment_of(experiment)
    shown = next(iter(fakes_of(experiment).items()), None)
    samples = []
    for task in tasks:
        if task["seed"] != config["seeds"][0]:
            continue
        files = {"real": pixels_of(task["dataset"], "train")}
        files["anomalies"] = pixels_of_set(task["dataset"], spec["tests"][0])
        if "closeness" in spec:
            files["closeness"] = closeness_file(experiment, spec["tests"][0])
        if shown:
            files["fakes"] = fakes_file(**task, fakes=shown[0], ending="npy")
            folder = generator_of(**task, generator=shown[1])
            files |= {
                "previews": f"{folder}/previews.npy",
                "fidelity": f"{folder}/fidelity.csv",
            }
        samples.append(task | {"file": files})
    return samples


def files_in(sources):
    """All paths in what sources_of gives."""
    files = []
    for found in sources.values():
        for source in found:
            file = source["file"]
            files += file.values() if isinstance(file, dict) else [file]
    return list(dict.fromkeys(files))


def drawing_sources(wildcards):
    reads = literal("drawings", wildcards.drawing, "READS", [])
    return sources_of(wildcards.experiment, reads)


def drawing_input(wildcards):
    return files_in(drawing_sources(wildcards))


def lineage(experiment):
    """What each method is made of, for drawings that compare stops or scores."""
    found = {}
    for name in experiment_of(experiment)["methods"]:
        method = config["methods"][name]
        detector = config["detectors"][method["detector"]]
        found[name] = {
            "label": method.get("label", name),
            "detector": method["detector"],
            "fakes": detector.get("outliers"),
            "score": config["scores"][method["score"]],
        }
    return found


def drawing_params(wildcards):
    return {
        "sources": drawing_sources(wildcards),
        "methods": lineage(wildcards.experiment),
        "note": config["experiments"][wildcards.experiment].get("note", ""),
    }


def drawing_title(wildcards):
    return config["drawings"][wildcards.drawing].get("label", wildcards.drawing)


# ---- targets ----


def drawings_of_run(wildcards):
    targets = []
    for experiment in config["run"]:
        for name in experiment_of(experiment).get("drawings", []):
            made = literal("drawings", name, "MAKES")
            ending = {"table": "csv", "figure": "png"}[made]
            targets.append(f"results/{made}s/{experiment}/{name}.{ending}")
    return targets


def summary_sources():
    """The metrics and the closeness of every experiment of this run."""
    sources = []
    for name in config["run"]:
        spec = experiment_of(name)
        tests = spec["tests"] if "closeness" in spec else []
        source = {"dataset": spec["dataset"], "metrics": f"results/metrics/{name}.csv"}
        sources.append(
            source | {"closeness": {t: closeness_file(name, t) for t in tests}}
        )
    return sources


def summary_input(wildcards):
    files = []
    for source in summary_sources():
        files += [source["metrics"], *source["closeness"].values()]
    return list(dict.fromkeys(files))


def detectors_of_run():
    """Every detector that this run uses: of methods, of the closest class, of monitors."""
    names = []
    for experiment in config["run"]:
        spec = experiment_of(experiment)
        names += [config["methods"][m]["detector"] for m in spec["methods"]]
        if "closeness" in spec:
            names.append(config["closeness"][spec["closeness"]]["detector"])
        names += [monitor_of(g)["detector"] for g in fakes_of(experiment).values()]
    return [config["detectors"][name] for name in dict.fromkeys(names)]


def backbones_of_run():
    return list(
        dict.fromkeys(d["backbone"] for d in detectors_of_run() if "backbone" in d)
    )


def datasets_of_run():
    names = []
    for experiment in config["run"]:
        spec = experiment_of(experiment)
        names += [spec["dataset"]]
        names += [t.removesuffix(".test") for t in spec["tests"] if t != "test"]
    outliers = [
        config["fakes"][d["outliers"]] for d in detectors_of_run() if "outliers" in d
    ]
    backbones = [config["backbones"][name] for name in backbones_of_run()]
    names += [
        source["dataset"] for source in outliers + backbones if "dataset" in source
    ]
    return list(dict.fromkeys(names))


def archives_of_run(wildcards):
    return [
        file for dataset in datasets_of_run() for file in archives_of(dataset).values()
    ]


def weights_of_run(wildcards):
    """Backbones that are fetched, not trained."""
    names = backbones_of_run()
    return [backbone_of(n) for n in names if "dataset" not in config["backbones"][n]]
