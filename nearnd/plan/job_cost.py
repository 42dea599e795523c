"""What a job computes and what it leaves on the disk, reckoned from its entries: nothing is run.

For `snakemake estimate`. FLOPs are counted by `networks.flops`, images by `counts`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from nearnd import config as settings
from nearnd import plugins
from nearnd.plan.dataset_sizes import Counts, options

EMBED, DRAW = 64, 256  # images in one call of a network
SMALL = 1e9  # FLOPs of an image below which a network is slow for its size
ROW = 40  # bytes of an image's line in a table of scores


class Part(NamedTuple):
    """Calls of a network, or distances: `what` is <score | backbone>_<train | run>, with _small
    behind it for a small network, or distance."""

    what: str
    flops: float
    calls: float


def passes(what: str, net, images: float, calls: float, each: float = 1.0) -> Part:
    """`images` through a network, each as dear as so many forward passes."""
    small = "_small" if net.flops < SMALL else ""
    return Part(what + small, each * images * net.flops, calls)


class Work(NamedTuple):
    parts: list[Part]
    images: float = 0.0  # decoded
    rows: float = 0.0  # of tables of scores, written or read
    kept: float = 0.0  # bytes


class Reckoner:
    """The work of jobs of one config."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.counts = Counts(config)
        for name in ("network", "plan", "embedder"):
            setattr(self, name, cache(getattr(self, name)))

    def work(self, rule: str, wildcards: dict[str, str]) -> Work:
        """Of one job; jobs of rules without a method here compute next to nothing.

        wildcards  as in the workflow; a normal that is any one class may be called "one", one that
                   is all but one "not-one".
        """
        method = getattr(self, f"_{rule}", None)
        return method(**wildcards) if method else Work([])

    # ---- facts about entries ----

    def network(self, section: str, name: str, side: int, channels: int):
        """A `networks.flops.Network`: of a generator, a backbone, or a detector with its own."""
        from nearnd.networks import flops

        o = options(self.config, section, name)
        if section == "generators":
            entry = settings.arguments(self.config, section, name)
            network = plugins.build("generators", _trained(entry.get("model", entry))).network
            return flops.unet(network | {"size": side, "channels": channels})
        if section == "backbones":
            model = "inception_v3" if o["kind"] == "inception" else o["model"]
            return flops.backbone(model, o.get("kwargs") or {})
        if "depth" in o:
            return flops.wide_resnet(side, channels, o["depth"], o["width"])
        if o.get("network") == "wide_resnet":
            depth, width = 6 * o["per_stage"] + 4, o["widths"][0] // 16
            return flops.wide_resnet(side, channels, depth, width)._replace(features=o["code"])
        if "widths" in o:
            widths = [w for i, w in enumerate(o["widths"]) if side >> (i + 1)]
            return flops.lenet(side, channels, widths, o["hidden"], o["code"])
        return flops.Network(0.0, 0, side**2 * channels)

    def embedder(self, detector: str, dataset: str):
        """The network that a detector embeds with."""
        entry = self.config["detectors"][detector]
        if "backbone" in entry:
            return self.network("backbones", entry["backbone"], 0, 0)
        size = self.counts.size(dataset)
        return self.network("detectors", detector, size.side, size.channels)

    def plan(self, generator: str):
        """See `contracts.Plan`; of one that is read from a file: no training, its sampler."""
        entry = settings.arguments(self.config, "generators", generator)
        if "model" not in entry:
            return plugins.build("generators", entry).plan()
        drawn = {"sampler": entry["sampler"]} if "sampler" in entry else {}
        plan = plugins.build("generators", _trained(entry["model"] | drawn)).plan()
        return plan._replace(steps=0, snapshots=[0], batch=0)

    # ---- rules ----

    def _images(self, dataset: str) -> Work:
        s = self.counts.size(dataset)
        n = s.train + s.test
        return Work([], images=n, kept=n * s.side**2 * s.channels)

    def _fetch(self, kind: str, archive: str) -> Work:
        files = plugins.constant("datasets", kind, "ARCHIVES", []) if "-" not in kind else []
        return Work([], kept=sum(f.get("bytes") or 0 for f in files if f["name"] == archive))

    def _backbone(self, backbone: str) -> Work:
        o = options(self.config, "backbones", backbone)
        net = self.network("backbones", backbone, 0, 0)
        parts = []
        if "dataset" in o:
            n = o["epochs"] * self.counts.size(o["dataset"]).train
            parts = [passes("backbone_train", net, n, n / o["batch"], 3)]
        return Work(parts, kept=4 * net.weights)

    def _generator(self, dataset: str, normal: str, generator: str) -> Work:
        s, n = self.counts.size(dataset), self.counts.normal(dataset, normal)
        plan = self.plan(generator)
        net = self.network("generators", generator, s.side, s.channels)
        monitor = self.config["monitors"][self.config["generators"][generator]["monitor"]]
        watcher = self.embedder(monitor["detector"], dataset)
        until = self.config["generators"][generator].get("until") or {}
        steps = min(plan.steps, until.get("step", plan.steps))
        due = [step for step in plan.snapshots if step <= steps] or plan.snapshots[:1]
        seen = _within(plan, round(n), monitor) * len(due)
        parts = [
            passes("score_train", net, steps * plan.batch, steps, 3),
            passes("score_run", net, seen * plan.calls, -(-seen // DRAW) * plan.calls),
            passes("backbone_run", watcher, seen + n, (seen + n) / EMBED),
        ]
        return Work(parts, kept=4 * net.weights * len(due))

    def _fakes(self, dataset: str, normal: str, fakes: str) -> Work:
        o, s = options(self.config, "fakes", fakes), self.counts.size(dataset)
        n = o.get("ratio", 1) * self.counts.normal(dataset, normal)
        kept = n * s.side**2 * s.channels
        if "generator" not in o:
            return Work([], kept=kept)
        net = self.network("generators", o["generator"], s.side, s.channels)
        calls = self.plan(o["generator"]).calls
        return Work([passes("score_run", net, n * calls, -(-n // DRAW) * calls)], kept=kept)

    def _sampler(self, experiment: str, normal: str, sampler: str) -> Work:
        spec = self.config["experiments"][experiment]
        about, s = spec["samplers"], self.counts.size(spec["dataset"])
        net = self.network("generators", about["generator"], s.side, s.channels)
        n = about.get("images") or self.counts.normal(spec["dataset"], normal)
        n, calls = n * about.get("repeats", 3), 0.0
        for _, entry in settings.with_sampler(self.config, about["generator"], sampler):
            calls += plugins.build("generators", entry).plan().calls
        return Work([passes("score_run", net, n * calls, -(-n // DRAW) * calls)])

    def _detector(self, dataset: str, normal: str, detector: str) -> Work:
        o = options(self.config, "detectors", detector)
        if dataset == "any":
            return Work([], kept=4 * self.network("backbones", o["backbone"], 0, 0).weights
                        if "backbone" in o else 0)  # fmt: skip
        net, n = self.embedder(detector, dataset), self.counts.normal(dataset, normal)
        shown = n
        if "outliers" in o:
            shown += n * options(self.config, "fakes", o["outliers"]).get("ratio", 1)
        seen = o.get("epochs", 0) * shown + o.get("iterations", 0) * o.get("batch", 0)
        seen *= 2 if o["kind"] == "msad" else 1  # two views of each image
        seen += 2 * o.get("ae_epochs", 0) * n  # encoder and decoder
        each = 3.0
        if isinstance(o.get("freeze"), float | int):  # frozen weights have no gradient of their own
            each -= o["freeze"] * (2 if o.get("freeze_stem") else 1)
        parts = [passes("backbone_train", net, seen, seen / o.get("batch", 1), each)]
        if o["kind"] == "patchcore":  # it embeds the training images once
            parts = [passes("backbone_run", net, n, n / EMBED)]
        return Work(parts, kept=4 * net.weights)

    def _features(self, dataset: str, normal: str, detector: str) -> Work:
        n = self.counts.normal(dataset, normal) + self.counts.size(dataset).test
        return self._embedding(n, self.embedder(detector, dataset))

    def _features_elsewhere(self, dataset: str, normal: str, detector: str, other: str) -> Work:
        return self._embedding(self.counts.size(other).test, self.embedder(detector, dataset))

    def _embedding(self, n: float, net) -> Work:
        parts = [passes("backbone_run", net, n, n / EMBED)] if net.flops else []
        return Work(parts, kept=4 * n * net.features)

    def _bank(self, dataset: str, normal: str, detector: str, bank: str) -> Work:
        share = options(self.config, "banks", bank).get("share", 1.0)
        n = self.counts.normal(dataset, normal) * share
        return Work([], kept=4 * n * self.embedder(detector, dataset).features)

    def _score(self, dataset: str, normal: str, method: str, images: str) -> Work:
        spec = self.config["methods"][method]
        n = self.counts.size(dataset if images == "test" else images.removesuffix(".test")).test
        parts = []
        if spec["bank"] != "none":
            width = self.embedder(spec["detector"], dataset).features
            rows = self.counts.normal(dataset, normal)
            parts = [Part("distance", 2 * n * rows * width, 0)]
        return Work(parts, rows=n, kept=ROW * n)

    def _metrics(self, experiment: str) -> Work:
        spec = settings.DEFAULTS | self.config["experiments"][experiment]
        tasks = len(settings.normals(self.config, experiment)) * len(self.config["seeds"])
        sets = [spec["dataset"] if t == "test" else t.removesuffix(".test")
                for t in dict.fromkeys(["test", *spec["tests"]])]  # fmt: skip
        n = sum(self.counts.size(name).test for name in sets)
        return Work([], rows=n * tasks * len(spec["methods"]))


def _trained(entry: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an entry that kind score_sde has."""
    known = plugins.arguments("generators", "score_sde")
    return {"kind": "score_sde"} | {key: value for key, value in entry.items() if key in known}


def _within(plan, real: int, monitor: dict[str, Any]) -> int:
    from nearnd.jobs.monitor import images_within

    known = ("images", "share", "least")
    return images_within(plan, real, **{k: monitor[k] for k in known if k in monitor})
