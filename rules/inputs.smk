# Functions only: what each rule reads.


def archives_input(wildcards):
    return list(archives_of(wildcards.dataset).values())


def folders_input(wildcards):
    """The user's own files: a change in them makes the images again."""
    return (
        plugins.call("datasets", entry("datasets", wildcards.dataset), "inputs") or []
    )


def stamp(folders):
    """A hash of the names, sizes and times of the files in folders. As a param it runs a job again
    when an image is overwritten in place, which leaves the folders' own times as they were.
    """
    found = [
        (file.path, file.stat().st_size, file.stat().st_mtime_ns)
        for folder in folders
        if os.path.isdir(folder)
        for file in os.scandir(folder)
        if file.is_file()
    ]
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()[:12]


def selection_of(dataset):
    """Which of a dataset's images are kept: all where the entry says nothing."""
    spec = config["datasets"][dataset]
    return {key: spec[key] for key in ("only", "most") if key in spec}


def clean_input(wildcards):
    """The clean test images, where a dataset is made from those of another one."""
    if "of" not in literal("datasets", wildcards.dataset, "NEEDS", []):
        return []
    return [pixels_of(config["datasets"][wildcards.dataset]["of"], "test")]


def backbone_input(wildcards):
    dataset = config["backbones"][wildcards.backbone].get("dataset")
    pixels = {"pixels": pixels_of(dataset, "train")} if dataset else {}
    return pixels | {"outside": outside_input("backbones", wildcards.backbone)}


@cache
def outside(section, name):
    """Files that an entry names (FILES of its plugin): {argument: (path, how to fetch it)}.

    A path that is there is used where it is, so that a change of it runs its jobs again. A link,
    or a path inside a mirror, is fetched once, like the archive of a dataset.
    """
    spec, found = config[section][name], {}
    for argument, about in literal(section, name, "FILES", {}).items():
        value = spec.get(argument)
        words = about.get("words", [])
        if not value or value in words:
            continue
        if not isinstance(value, str):
            raise ValueError(f"{argument} is {value!r}; it may be a path or a link")
        here, link = Path(value).expanduser(), "://" in value
        if here.is_file() and not link:
            found[argument] = (str(here), None)
            continue
        # another link is another file, although its last part may be the same
        mark = hashlib.sha256(value.encode()).hexdigest()[:8]
        base = here.name.split("?")[0]
        if base in ("", ".", "..") or set("{}") & set(
            base
        ):  # it becomes part of a path
            raise ValueError(
                f"{argument} is {value!r}; it must end in the name of a file, without braces"
            )
        place = f"results/archives/{section}-{name}-{mark}/{base}"
        inside = base if link or here.is_absolute() else value
        there = link or gated.in_mirror(inside, config["mirrors"])
        if not (there or os.path.exists(f"{place}.json")):
            kinds = ", ".join([*words, "a path, a link, or a path inside a mirror"])
            raise ValueError(
                f"there is no file {value}, and mirrors {config['mirrors']} have no {inside};"
                f" {argument} may be {kinds}. {about['hint']}"
            )
        archive = {"name": inside, "urls": [value] if link else []}
        archive |= {"sha256": spec.get(about["checksum"]), "hint": about["hint"]}
        found[argument] = (place, archive)
    return found


def outside_input(section, name):
    """What a job waits for or watches: the file, or the record that it was fetched."""
    return [
        f"{path}.json" if archive else path
        for path, archive in outside(section, name).values()
    ]


def fetched(section, name):
    """The records of an entry's files that are fetched."""
    return [
        f"{path}.json" for path, archive in outside(section, name).values() if archive
    ]


def named_in_run():
    """The backbones, fakes, generators and detectors of this run."""
    used = detectors_of_run()
    detectors = [name for name, d in config["detectors"].items() if d in used]
    fakes = fakes_of_run()
    sources = [config["fakes"][f].get("generator") for f in fakes]
    sources += [
        samplers_of(e)["generator"]
        for e in config["run"]
        if "samplers" in experiment_of(e)
    ]
    generators = list(dict.fromkeys(g for g in sources if g))
    sections = {"backbones": backbones_of_run(), "fakes": fakes}
    sections |= {"generators": generators, "detectors": detectors}
    return [(section, name) for section, names in sections.items() for name in names]


def missing_files():
    """One sentence for each file that an entry of this run names, and each archive that cannot be
    fetched, which is not there: says which, and where to get it."""
    sentences = []
    for section, name in named_in_run():
        try:
            outside(section, name)
            plugins.call(section, entry(section, name), "inputs")
            if section == "fakes":
                fakes_there(name)
        except ValueError as error:
            sentences.append(f"{section}: {name}: {error}")
    kinds = {config["datasets"][name]["kind"]: name for name in datasets_of_run()}
    for dataset in kinds.values():  # entries of one kind are made of the same archives
        try:
            gated.check(config, [dataset])
        except ValueError as error:
            sentences.append(str(error))
    return sentences


@cache
def fakes_there(name):
    """{dataset: {normal: how many images}} of fakes that are images already, as far as they are
    here. ValueError naming the class or the file that is missing or wrong."""
    spec, found = entry("fakes", name), {}
    for experiment in config["run"]:
        if name not in shown_of(experiment):
            continue
        dataset, normals = experiment_of(experiment)["dataset"], normals_of(experiment)
        tasks = {normal: classes_chosen(dataset, normal) for normal in normals}
        every = {
            c: any(t[c] for t in tasks.values()) for c in next(iter(tasks.values()))
        }
        # first of all of them together, so that everything that is missing is named at once
        for normal, classes in [("", every), *tasks.items()]:
            n = plugins.call("fakes", spec | {"classes": classes}, "number")
            if n is None:  # of a kind that is made here, or not fetched yet
                break
            if normal:
                found.setdefault(dataset, {})[normal] = n
    return found


@cache
def classes_chosen(dataset, normal):
    """{class with training images: whether it is normal}"""
    arguments = settings.arguments(config, "datasets", dataset)
    trained = plugins.call("datasets", arguments, "trained")
    return {
        name: (
            name != normal[4:] if normal.startswith("not-") else normal in ("all", name)
        )
        for name in settings.classes(config, dataset)
        if trained is None or name in trained
    }


def few_fakes():
    """One sentence for each set of fakes that has fewer images than its entry asks for."""
    images, sentences = dataset_sizes.Counts(config), []
    for name in fakes_of_run():
        ratio = config["fakes"][name].get("ratio", 1)
        for dataset, found in fakes_there(name).items():
            if not images.size(dataset).known:
                continue
            asked = {n: round(ratio * images.normal(dataset, n)) for n in found}
            if few := [normal for normal in found if found[normal] < asked[normal]]:
                sentences.append(
                    f"fakes: {name}: {found[few[0]]} images for normal {few[0]} of {dataset},"
                    f" {len(few)} of {len(found)} tasks have fewer than asked for: about"
                    f" {asked[few[0]]} (ratio {ratio}). All will be used; add images or lower ratio"
                )
    return sentences


# They say something about a run and start none: what is missing does not stop them.
TELLING = {"estimate", "list_datasets", "sizes", "clean_checkpoints"}


def check_files():
    """Stops the planning if files are missing; names all of them. Targets are not known while the
    rules are read, hence the look at the command line."""
    if TELLING & set(sys.argv):
        return
    if missing := missing_files():
        raise WorkflowError("config: " + "\n".join(missing))
    if workflow.is_main_process:  # not again in every job
        for sentence in few_fakes():
            logger.warning(sentence)


def monitor_of(generator):
    return config["monitors"][config["generators"][generator]["monitor"]]


def generator_input(wildcards):
    watcher = monitor_of(wildcards.generator)["detector"]
    return {
        "pixels": pixels_of(wildcards.dataset, "train"),
        "watcher": detector_of(
            wildcards.dataset, wildcards.normal, watcher, wildcards.seed
        ),
        "outside": outside_input("generators", wildcards.generator),
    }


def samplers_of(experiment):
    """What an experiment compares samplers on."""
    return config["experiments"][experiment]["samplers"]


def watcher_of(experiment):
    """The detector in whose features its samplers are compared: the generator's monitor's."""
    return monitor_of(samplers_of(experiment)["generator"])["detector"]


def sampler_input(wildcards):
    w = wildcards
    dataset = config["experiments"][w.experiment]["dataset"]
    generator = samplers_of(w.experiment)["generator"]
    place = generator_of(dataset, w.normal, generator, w.seed)
    return {
        "pixels": pixels_of(dataset, "train"),
        "snapshots": f"{place}/snapshots",
        "watcher": detector_of(dataset, w.normal, watcher_of(w.experiment), w.seed),
    }


def sampler_entries(wildcards):
    """Pairs of columns that name a setting and the generator's entry with it."""
    w = wildcards
    return settings.with_sampler(
        config, samplers_of(w.experiment)["generator"], w.sampler
    )


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
    folders = plugins.call("fakes", entry("fakes", wildcards.fakes), "inputs") or []
    files["outside"] = outside_input("fakes", wildcards.fakes) + folders
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
    files["outside"] = outside_input("detectors", wildcards.detector)
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
