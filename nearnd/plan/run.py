"""What a config asks for: its experiments with their tasks and scores, and all entries they use."""

from functools import cache, cached_property
from typing import Any

from nearnd import config as settings
from nearnd import plugins
from nearnd.files.paths import path
from nearnd.plan import archives
from nearnd.plan.dataset_sizes import options
from nearnd.tasks import Normal, TestSet


class Run:
    """The answers for one config, whole and checked. Names of entries are as in the config."""

    # keys of a detector's entry that name a backbone
    NETWORKS = tuple(key for key, to in settings.KEYS["detectors"].items() if to == "backbones")

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.complete = False  # files that have to be there are known to be, or not asked for

    # ---- entries ----

    def entry(self, section: str, name: str) -> dict[str, Any]:
        """What `build` gets: the kind and its arguments; files from outside by where they are."""
        files = {argument: place for argument, (place, _) in self.outside(section, name).items()}
        return settings.arguments(self.config, section, name) | files

    def digest(self, section: str, name: str) -> str:
        """A hash of the code behind an entry."""
        return settings.digest(self.config, section, name)

    def literal(self, section: str, name: str, what: str, default: Any = None) -> Any:
        """What the kind of an entry states."""
        return settings.constant(self.config, section, name, what, default)

    @cache  # noqa: B019 - a run lives as long as the process
    def outside(self, section: str, name: str) -> dict[str, tuple[str, dict | None]]:
        """Files that an entry names: {argument: (path, how to fetch it)}."""
        return archives.outside(self.config, section, name)

    @cache  # noqa: B019
    def shared(self, detector: str) -> bool:
        """Whether all tasks of a dataset share the detector and its features."""
        return self.literal("detectors", detector, "ONE_MODEL", False)

    @cache  # noqa: B019
    def seeded(self, backbone: str) -> bool:
        """Whether each seed of the run has a backbone of its own."""
        entry = options(self.config, "backbones", backbone)
        return bool(plugins.call("backbones", entry, "seeded"))

    def monitor(self, generator: str) -> dict[str, Any]:
        """The entry that says how a generator is watched."""
        return self.config["monitors"][self.config["generators"][generator]["monitor"]]

    # ---- experiments ----

    def parts(self, experiment: str) -> list[str]:
        """The experiments that one unites, itself if it unites none."""
        return self.config["experiments"][experiment].get("of", [experiment])

    @cached_property
    def experiments(self) -> list[str]:
        """All experiments with tasks of their own."""
        names = [part for name in self.config["run"] for part in self.parts(name)]
        return list(dict.fromkeys(names))

    def experiment(self, name: str) -> dict[str, Any]:
        """An entry of experiments over what holds where it says nothing."""
        return settings.DEFAULTS | self.config["experiments"][name]

    @cache  # noqa: B019
    def normals(self, experiment: str) -> tuple[str, ...]:
        """What is normal in turn."""
        return tuple(settings.normals(self.config, experiment))

    def tasks(self, experiment: str) -> list[dict[str, Any]]:
        """{dataset, normal, seed} of all of an experiment."""
        dataset = self.config["experiments"][experiment]["dataset"]
        return [
            {"dataset": dataset, "normal": normal, "seed": seed}
            for normal in self.normals(experiment)
            for seed in self.config["seeds"]
        ]

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """{dataset, normal, method, images, seed} for each score file of an experiment."""
        spec = self.experiment(experiment)
        images = dict.fromkeys(["test", *spec["tests"]])  # others need the normals of `test`
        return [
            {"dataset": spec["dataset"], "normal": n, "method": m, "images": i, "seed": s}
            for n in self.normals(experiment)
            for m in spec["methods"]
            for i in images
            for s in self.config["seeds"]
        ]

    def shown(self, experiment: str) -> list[str]:
        """All sets of fakes of an experiment: the one that it shows first, and its methods'."""
        spec = self.experiment(experiment)
        names = [spec["fakes"]] if "fakes" in spec else []
        return list(dict.fromkeys([*names, *self.fakes_behind(spec["methods"]).values()]))

    def fakes_behind(self, methods: list[str]) -> dict[str, str]:
        """{method: fakes} of the methods that are trained on some."""
        used = {m: self.config["methods"][m]["detector"] for m in methods}
        detectors = {m: self.config["detectors"][name] for m, name in used.items()}
        return {m: d["outliers"] for m, d in detectors.items() if "outliers" in d}

    def generated(self, experiment: str) -> dict[str, str]:
        """{fakes: generator} of those of an experiment that are drawn from one."""
        fakes = {name: self.config["fakes"][name] for name in self.shown(experiment)}
        return {name: spec["generator"] for name, spec in fakes.items() if "generator" in spec}

    def clean(self, experiment: str, images: str) -> str:
        """The test set whose images a changed copy has: its classes and training images; else the
        set itself."""
        dataset = self.config["experiments"][experiment]["dataset"]
        of = self.config["datasets"][TestSet.parse(images).dataset(dataset)].get("of")
        if of is None:
            return images
        return "test" if of == dataset else f"{of}.test"

    def copies(self, experiment: str) -> list[str]:
        """The test sets of an experiment that are changed copies of a dataset's test images."""
        tests = self.experiment(experiment)["tests"]
        return [images for images in tests if self.clean(experiment, images) != images]

    def closeness(self, experiment: str) -> dict[str, str]:
        """{test set: file}; a set without training images, such as fakes, has none."""
        spec, files = self.experiment(experiment), {}
        for images in spec["tests"] if "closeness" in spec else []:
            clean = self.clean(experiment, images)
            dataset = TestSet.parse(clean).dataset(spec["dataset"])
            if "train" in self.literal("datasets", dataset, "SPLITS", ["train"]):
                names = {"dataset": spec["dataset"], "closeness": spec["closeness"]}
                files[images] = path("closeness", **names, images=clean)
        return files

    def watcher(self, experiment: str) -> str:
        """The detector in whose features samplers are compared: that of the generator's monitor."""
        spec = self.experiment(experiment)["samplers"]
        return self.monitor(spec["generator"])["detector"]

    def drawn(self, dataset: str) -> dict[str, str]:
        """{class: file} of the fakes that a dataset is made of; those of one that is not: none. Of
        seed 0, whatever the run's: a test set is the same for all seeds."""
        spec = self.config["datasets"][dataset]
        if "fakes" not in spec:
            return {}
        task = {"dataset": spec["dataset"], "fakes": spec["fakes"], "seed": 0}
        return {
            name: path("fakes", **task, normal=name)
            for name in settings.classes(self.config, dataset)
        }

    # ---- what the whole run uses ----

    @cached_property
    def scored(self) -> list[str]:
        """The datasets of tasks and of test sets."""
        names = []
        for experiment in self.experiments:
            spec = self.experiment(experiment)
            tests = [TestSet.parse(images).dataset(spec["dataset"]) for images in spec["tests"]]
            names += [spec["dataset"], *tests]
        return list(dict.fromkeys(names))

    def tested(self, experiment: str) -> list[str]:
        """The fakes that are test sets of an experiment."""
        names = [TestSet.parse(images).other for images in self.experiment(experiment)["tests"]]
        specs = [self.config["datasets"][name] for name in names if name]
        return [spec["fakes"] for spec in specs if "fakes" in spec]

    @cached_property
    def fakes(self) -> list[str]:
        """All sets of fakes, of whatever kind."""
        detectors = [self.config["detectors"][name] for name in self.detectors]
        names = [spec["outliers"] for spec in detectors if "outliers" in spec]
        names += [name for experiment in self.experiments for name in self.shown(experiment)]
        names += [name for experiment in self.experiments for name in self.tested(experiment)]
        return list(dict.fromkeys(names))

    @cached_property
    def generators(self) -> list[str]:
        """Those that fakes are drawn from, and those that samplers are compared on."""
        names = [self.config["fakes"][name].get("generator") for name in self.fakes]
        specs = [self.experiment(name) for name in self.experiments]
        names += [spec["samplers"]["generator"] for spec in specs if "samplers" in spec]
        return list(dict.fromkeys(name for name in names if name))

    @cached_property
    def detectors(self) -> list[str]:
        """Those of methods, of the closest class, of monitors."""
        names = []
        for experiment in self.experiments:
            spec = self.experiment(experiment)
            names += [self.config["methods"][m]["detector"] for m in spec["methods"]]
            if "closeness" in spec:
                names.append(self.config["closeness"][spec["closeness"]]["detector"])
            names += [self.monitor(g)["detector"] for g in self.generated(experiment).values()]
            if "samplers" in spec:
                names.append(self.watcher(experiment))
            fakes = [self.config["fakes"][name] for name in self.tested(experiment)]
            drawn = [spec["generator"] for spec in fakes if "generator" in spec]
            names += [self.monitor(generator)["detector"] for generator in drawn]
        return list(dict.fromkeys(names))

    @cached_property
    def backbones(self) -> list[str]:
        """Those that detectors start from or choose by."""
        specs = [self.config["detectors"][name] for name in self.detectors]
        names = [spec[key] for spec in specs for key in self.NETWORKS if key in spec]
        return list(dict.fromkeys(names))

    @cached_property
    def datasets(self) -> list[str]:
        """Those of tasks, test sets, outliers, backbones; the clean ones of changed copies, and
        those that test sets of fakes imitate."""
        names = list(self.scored)
        sources = [self.config["fakes"][name] for name in self.fakes]
        sources += [self.config["backbones"][name] for name in self.backbones]
        sources += [self.config["datasets"][name] for name in self.scored]
        names += [source["dataset"] for source in sources if "dataset" in source]
        names += [spec["of"] for n in names if "of" in (spec := self.config["datasets"][n])]
        return list(dict.fromkeys(names))

    @cached_property
    def light(self) -> list[tuple[str, str]]:
        """(section, entry) of all in stages whose kinds load no torch."""
        specs = [self.config["experiments"][name] for name in self.experiments]
        methods = [self.config["methods"][m] for spec in specs for m in spec["methods"]]
        found = [("datasets", name) for name in self.datasets]
        found += [("fakes", name) for name in self.fakes]
        found += [("closeness", spec["closeness"]) for spec in specs if "closeness" in spec]
        found += [("scores", method["score"]) for method in methods]
        found += [("banks", method["bank"]) for method in methods if method["bank"] != "none"]
        return list(dict.fromkeys(found))

    @cached_property
    def named(self) -> list[tuple[str, str]]:
        """(section, entry) of all that may name a file from outside."""
        sections = ("backbones", "fakes", "generators", "detectors")
        return [(section, name) for section in sections for name in getattr(self, section)]

    def classes(self, dataset: str, normal: str) -> dict[str, bool]:
        """{class with training images: whether it is normal}"""
        entry = settings.arguments(self.config, "datasets", dataset)
        names = settings.classes(self.config, dataset)
        trained = plugins.call("datasets", entry, "trained")
        trained = names if trained is None else trained
        return {name: Normal.parse(normal).holds(name) for name in names if name in trained}

    def answers(self, dataset: str, normal: str, method: str) -> dict[str, Any] | None:
        """Of a method whose detector says which of the normal classes an image is of: the name of
        the array in which the largest number says so, and the classes in its order."""
        array = self.literal("detectors", self.config["methods"][method]["detector"], "PREDICTS")
        known = self.classes(dataset, normal)
        return array and {"array": array, "classes": [name for name in known if known[name]]}

    # ---- files that several rules read ----

    def pixels(self, dataset: str, images: str) -> str:
        """The pixels behind an image set: the dataset's own split, or `<other>.test`."""
        if images == "train":
            return path("images", dataset=dataset, split="train")
        return path("images", dataset=TestSet.parse(images).dataset(dataset), split="test")

    def has_normal(self, dataset: str, images: str) -> bool:
        """Whether an image set has normal images: the dataset's own splits, and changed copies of
        its test images, such as corrupted ones."""
        if images == "train":
            return True
        other = TestSet.parse(images).dataset(dataset)
        return other == dataset or self.config["datasets"][other].get("of") == dataset

    def backbone(self, backbone: str, seed: int | str) -> str:
        """The file of a backbone: one for all seeds if the seed changes nothing."""
        return path("backbone", backbone=backbone, seed=seed if self.seeded(backbone) else 0)

    def shared_seed(self, detector: str, seed: int | str) -> int | str:
        """The seed of a shared detector: that of its backbone."""
        backbone = self.config["detectors"][detector].get("backbone")
        return seed if backbone and self.seeded(backbone) else 0

    def detector(self, dataset: str, normal: str, detector: str, seed: int | str) -> str:
        """The file of a trained detector."""
        if self.shared(detector):
            dataset, normal, seed = "any", "any", self.shared_seed(detector, seed)
        return path("detector", dataset=dataset, normal=normal, detector=detector, seed=seed)

    @cached_property
    def banked(self) -> set[tuple[str, str]]:
        """(dataset, detector) whose features of training images somebody reads."""
        return settings.banked(self.config)

    def features(
        self, dataset: str, normal: str, detector: str, seed: int | str, images: str
    ) -> str:
        """The features of an image set. Those of a shared detector belong to no task."""
        if self.shared(detector):
            if images != "train":
                dataset, images = TestSet.parse(images).dataset(dataset), "test"
            normal, seed = "any", self.shared_seed(detector, seed)
        task = {"dataset": dataset, "normal": normal, "seed": seed}
        return path("features", **task, detector=detector, images=images)
