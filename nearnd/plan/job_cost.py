"""What a job computes and what it leaves on the disk, counted from its entries: nothing is run.

For `snakemake estimate`. What a kind costs it states itself (`work` in contracts.py).
"""

from functools import cache
from typing import Any, NamedTuple

from nearnd import config as settings
from nearnd import plugins
from nearnd.contracts import About, Network, Work
from nearnd.plan.dataset_sizes import Counts, options
from nearnd.tasks import TestSet

EMBED, DRAW = 64, 256  # images in one call of a network
SMALL = 1e9  # FLOPs of an image below which a network is slow for its size
ROW = 40  # bytes of an image's line in a table of scores
FREE = {"closeness", "table", "figure", "summary", "costs"}  # rules that compute next to nothing


class Part(NamedTuple):
    """Calls of a network, or distances: `what` is <score | backbone>_<train | run>, with _small
    behind it for a small network, or distance."""

    what: str
    flops: float
    calls: float


class Cost(NamedTuple):
    parts: list[Part]
    images: float = 0.0  # decoded
    rows: float = 0.0  # of tables of scores, written or read
    kept: float = 0.0  # bytes
    unknown: str = ""  # the entry whose kind states no work, so that nothing is counted


class UnknownError(Exception):
    """Of an entry, "generators: mine", whose kind does not state its work."""


def passes(what: str, net: Network, images: float, calls: float, each: float = 1.0) -> Part:
    """`images` through a network, each of which costs so many forward passes."""
    small = "_small" if net.flops < SMALL else ""
    return Part(what + small, each * images * net.flops, calls)


def steps(config: dict[str, Any], generator: str) -> int | None:
    """How many steps its training takes, None if its kind does not say. Loads no torch."""
    return plugins.call("generators", options(config, "generators", generator), "training_steps")


class JobCost:
    """What jobs of one config cost."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.counts = Counts(config)
        self.work = cache(self._work)
        self.banked = settings.banked(config)

    def cost(self, rule: str, wildcards: dict[str, str]) -> Cost:
        """Of one job. ValueError for a rule of which nothing is said here.

        wildcards  as in the workflow; a normal that is any one class may be called "one", one that
                   is all but one "not-one".
        """
        if rule in FREE:
            return Cost([])
        method = getattr(self, f"_{rule}", None)
        if method is None:
            raise ValueError(
                f"estimate: what a job of rule {rule} costs is not said; add a method _{rule} to"
                " JobCost, or the rule to FREE (nearnd/plan/job_cost.py)"
            )
        try:
            return method(**wildcards)
        except UnknownError as error:
            return Cost([], unknown=str(error))

    # ---- facts about entries ----

    def _work(self, section: str, name: str, about: About) -> Work:
        """What the kind of an entry states; UnknownError if it states nothing."""
        return self._of(section, name, options(self.config, section, name), about)

    def _of(self, section: str, name: str, entry: dict[str, Any], about: About) -> Work:
        found = plugins.call(section, {"about": about} | entry, "work")
        if found is None:
            raise UnknownError(f"{section}: {name}")
        return Work(**found)

    def network(self, detector: str, dataset: str) -> Network:
        """The network that a detector embeds with."""
        return self._fitted(detector, dataset, 0.0, 0.0)[1]

    def _fitted(
        self, detector: str, dataset: str, images: float, outliers: float
    ) -> tuple[Work, Network]:
        """Of a detector: what fitting takes, and the network that it embeds with."""
        entry, backbone = self.config["detectors"][detector], None
        side, channels = 32, 3  # of any dataset: weights, all that is asked, seldom depend on it
        if dataset != "any":
            side, channels = self.counts.size(dataset)[2:4]
        if "backbone" in entry:
            backbone = self.work("backbones", entry["backbone"], About()).network
        work = self.work("detectors", detector, About(images, outliers, side, channels, backbone))
        return work, work.network or backbone

    def _drawn(self, generator: str, dataset: str) -> Work:
        size = self.counts.size(dataset)
        return self.work("generators", generator, About(side=size.side, channels=size.channels))

    # ---- rules ----

    def _images(self, dataset: str) -> Cost:
        s = self.counts.size(dataset)
        n = s.train + s.test
        return Cost([], images=n, kept=n * s.side**2 * s.channels)

    def _fetch(self, kind: str, archive: str) -> Cost:
        files = plugins.constant("datasets", kind, "ARCHIVES", {}) if "-" not in kind else {}
        return Cost([], kept=files.get(archive, {}).get("bytes", 0))

    def _backbone(self, backbone: str) -> Cost:
        dataset = self.config["backbones"][backbone].get("dataset")
        n = self.counts.size(dataset).train if dataset else 0.0
        work = self.work("backbones", backbone, About(images=n))
        return _fitting(work, work.network)

    def _generator(self, dataset: str, normal: str, generator: str) -> Cost:
        n, work = self.counts.normal(dataset, normal), self._drawn(generator, dataset)
        plan, net = work.plan, work.network
        entry = self.config["generators"][generator]
        monitor, until = self.config["monitors"][entry["monitor"]], entry.get("until") or {}
        watcher = self.network(monitor["detector"], dataset)
        steps = min(plan.steps, until.get("step", plan.steps))
        due = [step for step in plan.snapshots if step <= steps] or plan.snapshots[:1]
        seen = _within(plan, round(n), monitor) * len(due)
        parts = [
            passes("score_train", net, steps * plan.batch, steps, work.passes),
            passes("score_run", net, seen * plan.calls, -(-seen // DRAW) * plan.calls),
            passes("backbone_run", watcher, seen + n, (seen + n) / EMBED),
        ]
        return Cost(parts, kept=4 * net.weights * len(due))

    def _fakes(self, dataset: str, normal: str, fakes: str) -> Cost:
        entry, s = self.config["fakes"][fakes], self.counts.size(dataset)
        n = entry.get("ratio", 1) * self.counts.normal(dataset, normal)
        parts = []
        if "generator" in entry:
            work = self._drawn(entry["generator"], dataset)
            parts = [_drawing(work, n, work.plan.calls)]
        return Cost(parts, kept=n * s.side**2 * s.channels)

    def _sampler(self, experiment: str, normal: str, sampler: str) -> Cost:
        spec = self.config["experiments"][experiment]
        about, s = spec["samplers"], self.counts.size(spec["dataset"])
        generator, calls = about["generator"], 0.0
        n = about.get("images") or self.counts.normal(spec["dataset"], normal)
        for _, entry in settings.with_sampler(self.config, generator, sampler):
            whole = plugins.defaults("generators", entry["kind"]) | entry
            work = self._of("generators", generator, whole, About(0, 0, s.side, s.channels))
            calls += work.plan.calls
        return Cost([_drawing(work, n * about.get("repeats", 3), calls)])

    def _detector(self, dataset: str, normal: str, detector: str) -> Cost:
        entry, n = self.config["detectors"][detector], 0.0
        if dataset != "any":
            n = self.counts.normal(dataset, normal)
        fakes = self.config["fakes"][entry["outliers"]] if "outliers" in entry else {"ratio": 0}
        work, net = self._fitted(detector, dataset, n, n * fakes.get("ratio", 1))
        cost = _fitting(work, net)
        if "judge" in entry and work.judged:
            judge = self.work("backbones", entry["judge"], About()).network
            cost.parts.append(passes("backbone_run", judge, work.judged, work.judged / EMBED))
        return cost

    def _features(self, dataset: str, normal: str, detector: str) -> Cost:
        n = self.counts.size(dataset).test
        if (dataset, detector) in self.banked:
            n += self.counts.normal(dataset, normal)
        return self._embedded(n, detector, dataset)

    def _features_elsewhere(self, dataset: str, normal: str, detector: str, other: str) -> Cost:
        return self._embedded(self.counts.size(other).test, detector, dataset)

    def _embedded(self, n: float, detector: str, dataset: str) -> Cost:
        net = self.network(detector, dataset)
        parts = [passes("backbone_run", net, n, n / EMBED)] if net.flops else []
        return Cost(parts, kept=4 * n * net.features)

    def _bank(self, dataset: str, normal: str, detector: str, bank: str) -> Cost:
        about = About(images=self.counts.normal(dataset, normal))
        rows = self.work("banks", bank, about).rows
        return Cost([], kept=4 * rows * self.network(detector, dataset).features)

    def _score(self, dataset: str, normal: str, method: str, images: str) -> Cost:
        spec = self.config["methods"][method]
        n = self.counts.size(TestSet.parse(images).dataset(dataset)).test
        parts = []
        if spec["bank"] != "none":
            width = self.network(spec["detector"], dataset).features
            rows = self.counts.normal(dataset, normal)
            parts = [Part("distance", 2 * n * rows * width, 0)]
        return Cost(parts, rows=n, kept=ROW * n)

    def _metrics(self, experiment: str) -> Cost:
        spec = settings.DEFAULTS | self.config["experiments"][experiment]
        tasks = len(settings.normals(self.config, experiment)) * len(self.config["seeds"])
        sets = [TestSet.parse(t) for t in dict.fromkeys(["test", *spec["tests"]])]
        n = sum(self.counts.size(images.dataset(spec["dataset"])).test for images in sets)
        return Cost([], rows=n * tasks * len(spec["methods"]))


def _fitting(work: Work, net: Network) -> Cost:
    """The training of a network, and images that are embedded for it."""
    parts = [
        passes("backbone_train", net, work.shown, work.shown / work.batch, work.passes),
        passes("backbone_run", net, work.embedded, work.embedded / EMBED),
    ]
    return Cost([part for part in parts if part.calls], kept=4 * net.weights)


def _drawing(work: Work, n: float, calls: float) -> Part:
    """n images from a generator, of so many calls of the network each."""
    return passes("score_run", work.network, n * calls, -(-n // DRAW) * calls)


def _within(plan, real: int, monitor: dict[str, Any]) -> int:
    from nearnd.jobs.monitor import images_within

    known = ("images", "share", "least")
    return images_within(plan, real, **{k: monitor[k] for k in known if k in monitor})
