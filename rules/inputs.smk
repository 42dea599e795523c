# Functions only: what each rule reads.


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
