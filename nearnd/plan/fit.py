"""From a folder of normal images to a model folder: the selection is written, the workflow runs."""

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from nearnd import catalog, plugins
from nearnd.files.arrays import save_json
from nearnd.files.paths import path
from nearnd.plan import given
from nearnd.plan.enough import enough
from nearnd.plan.export import export
from nearnd.plan.run import Run
from nearnd.plan.start import BASE

OWN = "own"  # the dataset of config/own.yaml
NORMAL = ("normal", "good", "ok")  # names of a class that is taken for the normal one


class Trained(NamedTuple):
    """Methods that the workflow has trained on a folder, with the scores of held-out images."""

    run: Run
    normal: str
    work: Path  # where results/ lies
    command: str  # that made them

    def export(self, method: str, model: Path) -> str:
        """Fills the folder `model` with one of the methods; returns words about it."""
        return export(self.run, OWN, self.normal, method, 0, model, self.work, self.command)


def fit(images: Path, model: Path, method: str = "own_gaussian", **how) -> str:
    """Fills the folder `model`; returns words about it. how: as of `train`."""
    return train(images, model, [method], **how).export(method, model)


def train(
    images: Path,
    model: Path,
    methods: list[str],
    normal: str | None = None,
    form: dict[str, Any] | None = None,
    work: Path | None = None,
    mirrors: list[str] | None = None,
    cores: int | str = "all",
    tile: int | None = None,
) -> Trained:
    """Trains the methods, and scores held-out images by them.

    form: size, mode and fit of the dataset's entry; work: where the workflow's results lie, which a
    second call goes on with, beside `model` if not given; tile: the side of overlapping pieces in
    which pictures are seen, if the methods can. ValueError if a name is wrong, there are too few
    images or the workflow stops.
    """
    snakefile, selection = BASE / "Snakefile", BASE / "config" / "own.yaml"
    if not snakefile.exists():
        raise ValueError(
            f"there is no {snakefile}: fit needs the repository, not the package alone"
        )
    if not images.is_dir():
        raise ValueError(f"{images} is no folder of images")
    if str(cores) != "all" and not (str(cores).isdecimal() and int(cores)):  # 0 would wait for ever
        raise ValueError(f"cores is {cores}; it may be all or a whole number from 1")
    lost = [m for m in mirrors or [] if "://" not in m and not Path(m).is_dir()]
    if lost:
        raise ValueError(f"mirrors: there is no folder {', '.join(lost)}")
    work = work or model.with_name(f"{model.name}.work")
    entry = {"path": str(images.resolve()), **(form or {})}
    whole = catalog.load(selection)["datasets"][OWN] | entry
    normal = _normal(plugins.call("datasets", whole, "trained"), normal)
    enough(images, plugins.call("datasets", whole, "counted")[normal])
    own = work / "selection.json"  # JSON is YAML
    chosen = {
        "run": [OWN],
        "datasets": {OWN: entry},
        "experiments": {OWN: {"normals": [normal], "methods": methods, "drawings": []}},
    }
    save_json(own, chosen)
    run = given.run([selection, own], [])
    for method in methods:
        if method not in run.config["methods"]:
            raise plugins.unknown("method", method, run.config["methods"], "the catalog")
    if tile is not None:
        if not 0 < tile <= whole["size"]:
            raise ValueError(
                f"--tile is {tile}; it may be a whole number from 1 to {whole['size']}, the side of"
                " the stored images (--size)"
            )
        tiles = {_tiled(run, method): {"tile": tile} for method in methods}
        save_json(own, chosen | {"detectors": tiles})
        run = given.run([selection, own], [])
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)]
    command += ["--directory", str(work), "--cores", str(cores), "--rerun-incomplete"]
    if mirrors:
        places = [str(Path(m).resolve()) if Path(m).is_dir() else m for m in mirrors]
        command += ["--config", f"mirrors={places}"]
    command += ["--configfile", str(selection), str(own)]
    task = {"dataset": OWN, "normal": normal, "seed": 0, "images": "test"}
    _wait([*command, "--", *(path("scores", method=method, **task) for method in methods)])
    return Trained(run, normal, work, shlex.join(command))


def _normal(classes: list[str], given: str | None) -> str:
    """The normal class of those with training images."""
    if given is not None:
        if given not in classes:
            raise plugins.unknown("normal class", given, classes, "the folder")
        return given
    named = [name for name in classes if name.lower() in NORMAL] if len(classes) > 1 else classes
    if len(named) != 1:
        raise ValueError(
            f"the folder has the classes {', '.join(classes)}: which one is normal? --normal NAME"
        )
    return named[0]


def _tiled(run: Run, method: str) -> str:
    """The method's detector; ValueError if it sees no picture in pieces."""
    name = run.config["methods"][method]["detector"]
    kind = run.config["detectors"][name]["kind"]
    if "tile" not in plugins.arguments("detectors", kind):
        raise ValueError(
            f"{method} sees a picture as a whole ({kind}), so there is no --tile: take one that"
            " compares patches, such as --method own_patchcore"
        )
    return name


def _wait(command: list[str]) -> None:
    """Runs it to its end. Ctrl-C reaches it as well: it ends its jobs, and we wait for that."""
    process = subprocess.Popen(command)  # noqa: S603 - our own words and the user's
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise ValueError("the workflow stopped, as it says above; what is done is kept")
