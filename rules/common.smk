# Functions only: validation, entries, resources, paths. No rule stands here.
import hashlib
import json
import os
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import InputFunctionException, WorkflowError
from snakemake.logging import logger

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.plan import archives as gated
from nearnd.plan import dataset_sizes

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
CLASS = r"[^/.][^/]*"


# ---- configuration ----


def checked(config):
    """The config over the catalog, or one sentence about what is wrong with it."""
    base = Path(workflow.basedir)
    try:
        whole = catalog.whole(base / "config/catalog", config)
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
    """What `build` gets: the kind and its arguments; files from outside by where they are."""
    files = {argument: path for argument, (path, _) in outside(section, name).items()}
    return settings.arguments(config, section, name) | files


def digest(section, name):
    """A hash of the code behind an entry."""
    stage = settings.STAGE.get(section, section)
    return plugins.digest(stage, config[section][name]["kind"])


def literal(section, name, what, default=None):
    return settings.constant(config, section, name, what, default)


# ---- resources ----


def size_of(dataset):
    """Pixels along a side; of a detector that no dataset trains, those of the smallest."""
    spec = config["datasets"].get(dataset, {})
    return size_of(spec["of"]) if "of" in spec else spec.get("size", 8)


def threads_of(dataset):
    """Small images leave cores idle, so that tasks run beside each other instead: always up to 16
    pixels, and up to 64 where this machine has fewer cores than the run has tasks. Larger ones
    would not fit into memory so."""
    if size_of(dataset) > 64:
        return 4
    return 1 if size_of(dataset) <= 16 else max(1, min(4, cores_for_each(dataset)))


@cache
def cores_for_each(dataset):
    """Cores of this machine for each task of a dataset, 4 on a cluster."""
    cores = None if workflow.remote_exec else workflow.resource_settings.cores
    spread = {
        (normal, seed)
        for experiment in config["run"]
        if experiment_of(experiment)["dataset"] == dataset
        for normal in normals_of(experiment)
        for seed in config["seeds"]
    }
    return 4 if cores is None else cores // max(1, len(spread))


def memory_of(dataset, attempt=1):
    """Megabytes to ask a cluster for; twice as many after a failure, which may be for want of it."""
    return min(attempt, 2) * (4000 if size_of(dataset) <= 64 else 16000)


def runtime_of(dataset, steps=0):
    """Minutes to ask a cluster for: a generous guess. A training that reaches the limit saves its
    state, and the next attempt goes on from there."""
    trained = steps * size_of(dataset) ** 2 // 100_000
    return min(24 * 60, (60 if size_of(dataset) <= 16 else 240) + trained)


def steps_of(generator):
    """Training steps, 0 of a generator that is not trained here."""
    return config["generators"][generator].get("steps", 0)


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


def has_normal(dataset, images):
    """Whether an image set has normal images: the dataset's own splits, and changed copies of its
    test images, such as corrupted ones."""
    other = config["datasets"].get(images.removesuffix(".test"), {})
    return images in ("train", "test") or other.get("of") == dataset


def archives_of(dataset):
    kind = config["datasets"][dataset]["kind"]
    archives = plugins.constant("datasets", kind, "ARCHIVES", [])
    return {a["name"]: f"results/archives/{kind}/{a['name']}.json" for a in archives}


def archive_of(kind, name):
    """What is known about a file to fetch: names, links, checksum."""
    if "-" in kind:  # <section>-<entry>-<mark>, of a file that an entry names
        section, entry_name = kind.rsplit("-", 1)[0].split("-", 1)
        files = outside(section, entry_name).values()
        return next(a for path, a in files if a and Path(path).name == name)
    archives = plugins.constant("datasets", kind, "ARCHIVES", [])
    archive = next(archive for archive in archives if archive["name"] == name)
    return {"hint": gated.advice(kind)} | archive


def backbone_of(name):
    return f"results/backbones/{name}.safetensors"


@cache
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
