# Functions only: what an experiment is made of, what a drawing reads, the targets of a run.


def experiment_of(name):
    return settings.DEFAULTS | config["experiments"][name]


@cache
def normals_of(experiment):
    return tuple(settings.normals(config, experiment))


def runs_of(experiment):
    """One dict for each score file of an experiment."""
    spec = experiment_of(experiment)
    images = list(
        dict.fromkeys(["test", *spec["tests"]])
    )  # others need the normals of `test`
    return [
        {"dataset": spec["dataset"], "normal": n, "method": m, "images": i, "seed": s}
        for n in normals_of(experiment)
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


def shown_of(experiment):
    """All sets of fakes of an experiment: of its methods, and the one that it shows first."""
    spec = experiment_of(experiment)
    names = [spec["fakes"]] if "fakes" in spec else []
    return list(dict.fromkeys([*names, *fakes_behind(spec["methods"]).values()]))


def fakes_of(experiment):
    """The sets of generated fakes among them, {fakes: generator}."""
    return {
        f: config["fakes"][f]["generator"]
        for f in shown_of(experiment)
        if "generator" in config["fakes"][f]
    }


def copies_of(experiment):
    """The test sets of an experiment that are changed copies of a dataset's test images."""
    tests = experiment_of(experiment)["tests"]
    return [t for t in tests if clean_of(experiment, t) != t]


def clean_of(experiment, images):
    """The test set whose images a copy changes: its classes and training images; else itself."""
    of = config["datasets"].get(images.removesuffix(".test"), {}).get("of")
    if of is None:
        return images
    return "test" if of == experiment_of(experiment)["dataset"] else f"{of}.test"


def closeness_files(experiment):
    """{test set: closeness}; a set without training images, such as fakes, has none."""
    spec, files = experiment_of(experiment), {}
    for images in spec["tests"] if "closeness" in spec else []:
        clean = clean_of(experiment, images)
        dataset = spec["dataset"] if clean == "test" else clean.removesuffix(".test")
        if "train" in literal("datasets", dataset, "SPLITS", ["train"]):
            place = f"{spec['dataset']}/{spec['closeness']}/{clean}"
            files[images] = f"results/closeness/{place}.csv"
    return files


def sources_of(experiment, reads):
    """What a drawing reads: {name: [{"file": path, column: value, ...}, ...]}."""
    spec = experiment_of(experiment)
    tasks = [
        {"dataset": spec["dataset"], "normal": n, "seed": s}
        for n in normals_of(experiment)
        for s in config["seeds"]
    ]
    sources = {}
    if "metrics" in reads:
        sources["metrics"] = [{"file": f"results/metrics/{experiment}.csv"}]
    if "scores" in reads:
        sources["scores"] = [
            run | {"file": scores_of(**run)} for run in runs_of(experiment)
        ]
    if "slices" in reads:
        sources["slices"] = [{"file": f"results/metrics/{experiment}.slices.csv"}]
    if "closeness" in reads and closeness_files(experiment):
        sources["closeness"] = [
            {"dataset": spec["dataset"], "test": t, "file": file}
            for t, file in closeness_files(experiment).items()
        ]
    if "overlap" in reads:
        sources["overlap"] = [
            run
            | {
                "fakes": f,
                "file": {
                    "fakes": fakes_file(
                        run["dataset"], run["normal"], f, run["seed"], "npy"
                    ),
                    "images": pixels_of_set(run["dataset"], run["images"]),
                },
            }
            for run in runs_of(experiment)
            for f in [fakes_behind([run["method"]]).get(run["method"])]
            if f
        ]
    if "fidelity" in reads:
        generators = dict.fromkeys(fakes_of(experiment).values())
        found = [task | {"generator": g} for g in generators for task in tasks]
        sources["fidelity"] = [
            f | {"file": f"{generator_of(**f)}/fidelity.csv"} for f in found
        ]
    if "fakes" in reads:
        behind = {
            m: f
            for m, f in fakes_behind(spec["methods"]).items()
            if f in fakes_of(experiment) or config["fakes"][f]["kind"] == "imported"
        }
        sources["fakes"] = [
            t
            | {"fakes": f, "method": m, "file": fakes_file(**t, fakes=f, ending="csv")}
            for m, f in behind.items()
            for t in tasks
        ]
    if "samples" in reads:
        sources["samples"] = samples_of(experiment, tasks)
    if "images" in reads:
        sources["images"] = [
            {
                "dataset": spec["dataset"],
                "images": i,
                "file": pixels_of_set(spec["dataset"], i),
            }
            for i in dict.fromkeys(["train", *spec["tests"]])
        ]
    if "maps" in reads:
        sources["maps"] = maps_of(experiment)
    if "samplers" in reads:
        sources["samplers"] = [
            task
            | {"sampler": s, "label": config["samplers"][s].get("label", s)}
            | {
                "file": f"results/samplers/{experiment}/{task['normal']}/{s}/seed{task['seed']}.tsv"
            }
            for s in spec["samplers"]["compare"]
            for task in tasks
        ]
    return sources


def maps_of(experiment):
    """The anomaly maps of the dataset's own test images, by the detectors that have some."""
    found = []
    for run in runs_of(experiment):
        detector = config["methods"][run["method"]]["detector"]
        if run["images"] == "test" and "map" in literal(
            "detectors", detector, "EMBEDS", []
        ):
            task = {k: run[k] for k in ("dataset", "normal", "seed")}
            files = {
                "maps": features_of(**task, detector=detector, images="test"),
                "images": pixels_of(run["dataset"], "test"),
                "detector": detector_of(**task, detector=detector),
            }
            found.append(task | {"method": run["method"], "file": files})
    return found


def samples_of(experiment, tasks):
    """Images to look at, for the first seed of each task."""
    spec = experiment_of(experiment)
    generated, kinds = next(iter(fakes_of(experiment).items()), None), {}
    for name in shown_of(experiment):  # the first of each kind
        kinds.setdefault(config["fakes"][name]["kind"], name)
    samples = []
    for task in tasks:
        if task["seed"] != config["seeds"][0]:
            continue
        files = {"real": pixels_of(task["dataset"], "train")}
        files["anomalies"] = pixels_of_set(task["dataset"], spec["tests"][0])
        if spec["tests"][0] in closeness_files(experiment):
            files["closeness"] = closeness_files(experiment)[spec["tests"][0]]
        for kind, name in kinds.items():
            files[f"fakes {kind}"] = fakes_file(**task, fakes=name, ending="npy")
        if generated:
            folder = generator_of(**task, generator=generated[1])
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
        "copies": copies_of(wildcards.experiment),
        "note": config["experiments"][wildcards.experiment].get("note", ""),
    }


def drawing_title(wildcards):
    return config["drawings"][wildcards.drawing].get("label", wildcards.drawing)


def costs_sources():
    """The measured times and memory of every generator of this run."""
    tasks = {}
    for name in config["run"]:
        dataset = experiment_of(name)["dataset"]
        for generator in fakes_of(name).values():
            for normal in normals_of(name):
                for seed in config["seeds"]:
                    file = f"{generator_of(dataset, normal, generator, seed)}/cost.tsv"
                    tasks[file] = {
                        "dataset": dataset,
                        "normal": normal,
                        "generator": generator,
                        "seed": seed,
                        "file": file,
                    }
    return list(tasks.values())


# ---- targets ----


def costs_of_run(wildcards):
    return ["results/tables/costs.tsv"] if costs_sources() else []


def drawing_files(experiment):
    """{name of a drawing: its file} of an experiment."""
    files = {}
    for name in experiment_of(experiment).get("drawings", []):
        made = literal("drawings", name, "MAKES")
        ending = {"table": "csv", "figure": "png"}[made]
        files[name] = f"results/{made}s/{experiment}/{name}.{ending}"
    return files


def drawings_of_run(wildcards):
    return [file for name in config["run"] for file in drawing_files(name).values()]


def targets_of_run():
    """{name of a target: its files}: every experiment of the run, and each table and figure of it.

    A name that a rule has already is left to that rule.
    """
    targets = {}
    for experiment in config["run"]:
        files = drawing_files(experiment)
        targets[experiment] = list(files.values())
        targets |= {f"{name}_{experiment}": file for name, file in files.items()}
    taken = {known.name for known in workflow.rules}
    return {
        name: files for name, files in targets.items() if name not in taken and files
    }


def summary_of_run(wildcards):
    return ["results/tables/summary.csv"] if summary_sources() else []


def summary_sources():
    """The metrics and the closeness of every experiment of this run."""
    sources = []
    for name in config["run"]:
        spec = experiment_of(name)
        if not spec["methods"]:  # it compares samplers
            continue
        sources.append(
            {
                "dataset": spec["dataset"],
                "metrics": f"results/metrics/{name}.csv",
                "slices": f"results/metrics/{name}.slices.csv",
                "closeness": closeness_files(name),
                "group": spec.get("group"),
            }
        )
    return sources


def summary_input(wildcards):
    files = []
    for source in summary_sources():
        files += [source["metrics"], source["slices"], *source["closeness"].values()]
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
        if "samplers" in spec:
            names.append(watcher_of(experiment))
    return [config["detectors"][name] for name in dict.fromkeys(names)]


def fakes_of_run():
    """All sets of fakes of this run, of whatever kind."""
    names = [d["outliers"] for d in detectors_of_run() if "outliers" in d]
    names += [name for experiment in config["run"] for name in shown_of(experiment)]
    return list(dict.fromkeys(names))


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
    outliers = [config["fakes"][name] for name in fakes_of_run()]
    backbones = [config["backbones"][name] for name in backbones_of_run()]
    names += [
        source["dataset"] for source in outliers + backbones if "dataset" in source
    ]
    copies = [config["datasets"][n] for n in names]
    names += [copy["of"] for copy in copies if "of" in copy]
    return list(dict.fromkeys(names))


def archives_of_run(wildcards):
    named = [
        file for section, name in named_in_run() for file in fetched(section, name)
    ]
    return named + [
        file for dataset in datasets_of_run() for file in archives_of(dataset).values()
    ]


def weights_of_run(wildcards):
    """Backbones that are fetched, not trained."""
    names = backbones_of_run()
    return [backbone_of(n) for n in names if "dataset" not in config["backbones"][n]]
