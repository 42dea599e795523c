# Functions only: what an experiment is made of, what a drawing reads, the targets of a run.


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
