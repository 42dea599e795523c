"""What each stage takes and gives: a plugin is any object that satisfies its folder's contract.

Words and signs are fixed here once: images are uint8, scores are higher for more anomalous images,
label 1 is an anomaly, one seed per generated image.

A plugin file `nearnd/<stage>/<kind>.py` has a function `build(**arguments)` that returns such an
object, or `build = Name`, a class of that file: if it is a dataclass, its fields, inherited ones
too, are the arguments. An object that is only called can be one function that is also given what it
is called with, before the slash: `@configured def build(data, /, **arguments)`.
The file may state, as literals that are read without importing it:

    NEEDS      what an entry must name beside its arguments: a list out of "backbone", "outliers",
               "labels" (detectors), "generator", "dataset" (fakes), "of" (datasets): the dataset
               whose test images it changes, "dataset" and "fakes" (datasets): the fakes of each
               class of that one, which it consists of
    CLASSES    (datasets) the class names, in label order, or `listed("<file>")`, see plugins.py
    ARCHIVES   (datasets) files to fetch: {name: {"urls", "sha256" or "md5", "hint", "bytes",
               "about"}}; each may be left out. `about`: True if the size is only roughly known.
               "sha1": {path inside: SHA-1} in place of a checksum takes an archive of these files,
               whoever packed it, or a folder with them
    LINKS      (datasets) folders on the web that have those files, where they say no "urls"
    LICENCE    (datasets) the terms of use in a few words
    GATED      (datasets) where to get the files, if not by a plain download
    SPLITS     (datasets) ["test"] or ["train"] if it has only that one; the other one is empty
    IMAGES     (datasets) how many images it has and their channels: {"train": 50_000, "test":
               10_000, "channels": 3}; where that depends on arguments, the function `count`
    ACCESS     (datasets) words for the list of datasets where there is no file to fetch; if not
               said: "made here"
    FILES      (backbones, detectors, fakes, generators) arguments that name a file from outside,
               which is then watched or fetched: {argument: {"checksum": the argument with its
               sha256, "hint", "words": values that are no file}}; the last may be left out
    READY_MADE (fakes) True if the images are there before the run: tables show facts of them
               though no generator of the run is behind them
    VALUES_NEED (detectors) what a value in an argument's list needs besides: {argument: {value:
               key}}, such as {"hard": {"outliers": "outliers"}}
    ONE_MODEL  (detectors) True if fitting does not look at the normal class, so that all tasks of
               a dataset share its features
    EMBEDS     (detectors) the names of the arrays that `embed` returns
    PREDICTS   (detectors) which of its arrays, (N, K), is largest at the class that it takes an
               image for, of the K normal classes in label order; if none says so: left out
    READS      (scores) the names of the arrays that it reads; one whose `build` has an argument
               `feature` reads that one instead. A method's detector must embed them
    BANK       (scores) False if it looks at no bank: such a method has `bank: none`
    FEATURES   (detectors) how many numbers `features` has for an image, where that is always so;
               of one on a backbone see `features`
    SINGULAR   (fidelity) True if it needs more images than features to mean anything
    RANGES     what a number may be, {argument: [from, to]}, where nearnd/values.py has it wrong
    MAP        (scores) True if it also gives a map, which drawings then take
    LABEL      (fidelity, fakes, generators, metrics) its name in tables and figures, if not that of
               the file
    FACTS      (generators) what its method `facts` gives, {name: words for tables and figures}
    UNIT       (fidelity) words for the axis of a figure
    DISTANCE   (fidelity) True if 0 is best; else more is better
    TOY        (backbones, fakes, generators, samplers) arguments with which the contract tests
               build it, where the defaults are too heavy or need a file: {name: value}. "pictures"
               is a folder that the tests make, with one folder of images for each class
    MAKES      (tables_figures) "table" or "figure"
    READS      (tables_figures) what it draws from: see `Drawing`

and functions, which get an entry's arguments over the defaults of `build`:

    check(**arguments)           ValueError in one sentence if they cannot work together (of
                                 samplers see `Sampler`); for what `build` does not refuse before
                                 any job, as it does in stages that load no torch
    count(of, **arguments)       (datasets) in place of IMAGES; `of`: that of the set it changes, or
                                 None
    snapshots(**arguments)       (generators) the steps after which one is kept
    features(**arguments)        (backbones) how many numbers come out for an image
    sees(**arguments)            (backbones) the side of an image, in pixels, that it works with:
                                 a larger one is made smaller first
    training_steps(**arguments)  (generators) of a whole training, 0 if nothing is trained: for the
                                 time that a cluster is asked for
    seeded(**arguments)          (backbones) True if the weights depend on the seed: then there is
                                 one for each seed of the run, whose deviation shows the spread
    fetches(**arguments)         (backbones) weights that `make` looks for and fetches itself, any
                                 of which will do: [([names of the file], where it comes from)]
    work(about, **arguments)     (backbones, generators, detectors, banks) what `snakemake estimate`
                                 has to know: {field of Work: value}, from an `About`
    graph(bank, **arguments)     (scores) the score as PyTorch computes it, for `export --onnx`: a
                                 function from a detector's arrays, {name: tensor (n, ...)}, to
                                 {"score": tensor (n,)}, and "map" of a kind that has one

All but the last two are called while the workflow is planned: their files load no torch at the top.
A kind that does not state its number of images, steps or work is shown as unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:  # planning reads this file too
    import numpy as np

Mode = Literal["RGB", "L"]  # the channels of stored images: three, or one
Fit = Literal["squash", "crop", "pad"]  # how a picture becomes a square: files/picture.py
Embedding = dict[str, "np.ndarray"]  # name -> float32 (N, ...); vectors are "features" (N, D)

# progress(step, total, loss=0.3): cheap enough to call at every step; prints now and then.
Progress = Callable[..., None]


def silent(step: int, total: int, **values: Any) -> None:
    """The Progress that prints nothing."""


def configured(function: Callable) -> Callable:
    """`build` of a kind that is one function: takes an entry's arguments, which are the keywords,
    and gives the function of what stands before the slash."""
    return wraps(function)(lambda **arguments: partial(function, **arguments))


class Images(NamedTuple):
    """An image set. Row i of every field is the same image."""

    pixels: np.ndarray  # uint8 (N, H, W, C), C = 1 or 3; may be memory-mapped
    labels: np.ndarray  # int64 (N,), index into the dataset's class names
    ids: np.ndarray  # str (N,), the name of the image in its source
    masks: np.ndarray | None = None  # uint8 (N, H, W), 1 where anomalous, if the set says so
    names: np.ndarray | None = None  # str (N,), the images' class names, of a stored set

    def __len__(self) -> int:  # the number of images, not of fields
        return len(self.pixels)

    def rows(self, index) -> Images:
        """The images at `index` (any numpy index along the first axis)."""
        return Images(*(None if field is None else field[index] for field in self))


class Dataset(Protocol):
    def read(self, archives: dict[str, Path]) -> tuple[dict[str, Images], list[str]]:
        """The splits {"train": Images, "test": Images}, and the class names in label order.

        `archives` maps the names in ARCHIVES to the files; for a kind that NEEDS "of", "of" to the
        stored test images (.npy, and .csv beside it) of that dataset; for one that NEEDS "fakes",
        each class to its fakes (.npy), in label order. A changed copy keeps the id
        of the clean image: "fog/3/<id>" (corruption, severity), so that tables are cut by the id's
        prefix after everything was scored once. Pixels may be a memory map, so that a large set
        never has to fit in memory. Raises ValueError naming the file that is wrong.
        """


class Backbone(Protocol):
    def make(
        self,
        images: Images | None,
        classes: list[str],
        *,
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> tuple[dict, dict]:
        """Weights {name: array} and a description {"model", "kwargs", "mean", "std", ...}.

        `images` are the training images of the entry's `dataset`, None if it names none.
        `folder` keeps what a killed job needs to go on.
        """


class Plan(NamedTuple):
    """A whole training, and what it costs in passes through the network."""

    steps: int
    snapshots: list[int]  # after which steps, rising
    batch: int  # images of one step; 0 if nothing is trained
    calls: float  # forward passes that one sampled image takes


class Network(NamedTuple):
    """What a network costs and gives (`networks.flops` counts it)."""

    flops: float  # of one image, forward
    weights: int
    features: int  # numbers that come out for one image


class About(NamedTuple):
    """What is known of a job before it runs; 0 or None where it does not depend on that."""

    images: float = 0.0  # normal training images; of a backbone those of its dataset
    outliers: float = 0.0  # that are shown beside them
    side: int = 0  # of the images, and their channels
    channels: int = 0
    backbone: Network | None = None


class Work(NamedTuple):
    """What fitting takes, in images through a network, and the network that is used afterwards."""

    network: Network | None = None  # None: the backbone
    shown: float = 0.0  # images that training shows the network, over all epochs
    batch: float = 1.0  # of them in one call
    passes: float = 3.0  # what one of them takes, in forward passes: backward is two
    embedded: float = 0.0  # images that fitting embeds beside
    judged: float = 0.0  # images that the entry's `judge` sees, where it names one
    plan: Plan | None = None  # (generators) in place of `shown`; without the network's files
    rows: float = 0.0  # (banks) that are kept of `images`


class Generator(Protocol):
    def plan(self) -> Plan:
        """Of a training to the end; the same on every machine."""

    def train(
        self,
        pixels: np.ndarray,
        *,
        labels: np.ndarray | None = None,
        seed: int,
        folder: Path,
        monitor: Callable[[int, Path], bool],
        progress: Progress,
    ) -> None:
        """Fits uint8 (N, H, W, C). labels: int64 (N,), index into the dataset's class names; None
        where the images are of one class. Writes snapshots `files.snapshots.snapshot(folder, step)`
        and goes on from what it finds in `folder`; calls `monitor(step, file)` after each snapshot
        and ends there if it returns True. Called again with that `folder` it trains further."""

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """uint8 (n, H, W, C): image i depends on the snapshot and seeds[i] alone."""

    def noised(
        self, snapshot: Path, seeds: np.ndarray, images: np.ndarray, strength: float
    ) -> np.ndarray:
        """(where it can) uint8 (n, H, W, C): images (n, H, W, C) with noise of the deviation
        `strength`, of pixels in [0, 1], drawn back; image i depends on images[i] and seeds[i]."""

    def facts(self, snapshot: Path, images: np.ndarray) -> dict[str, float]:
        """(where FACTS says so) Numbers on the snapshot that take the generator itself, such as how
        likely it makes images uint8 (n, H, W, C) of its training; they stand beside the measures
        of fidelity, and no stop reads them."""

    def sample_counted(self, snapshot: Path, seeds: np.ndarray) -> tuple[np.ndarray, float]:
        """(of those whose `build` has an argument `sampler`, an entry of samplers) As `sample`, and
        how often the network was called for each image, on average."""


class Sampler(Protocol):
    """`build` looks at the settings (ValueError) and loads no torch. What does not go together, or
    not with an SDE, a function `check(*, sde, continuous, **settings)` may refuse, likewise."""

    def __call__(self, sde: Any, score: Callable, noise: Callable) -> Any:
        """Images, a float32 tensor (N, C, H, W) in the range of the SDE, a process with methods
        such as those of generators/_sde.py.

        score(x, t)  of (N, C, H, W), t (1,) if all images are at the same time, else (N,), float32
        noise()      the next standard-normal draw (N, C, H, W); image i's depends on its seed alone
        Image i depends on its own noise alone, but for settings that say otherwise.
        """


class Fidelity(Protocol):
    def __call__(self, real: np.ndarray, fake: np.ndarray) -> float:
        """A distance or share between feature sets float32 (N, D) and (M, D).

        A measure that says little for few images has also `remark(n, m, d) -> str`: the words that
        stand beside the value in the tables, empty where there is nothing to say.
        """


class Fakes(Protocol):
    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, **sources: Any
    ) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C), and facts about them for the tables (step, distance, ...).
        Of the sources a kind gets those that its `draw` names.
        Of those from a generator the attribute `way` names its method that is among the sources."""


class Detector(Protocol):
    def fit(
        self,
        normal: Images | None,
        *,
        outliers: np.ndarray | None,
        backbone: Path | None,
        judge: Path | None,
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Trains on normal images (None for ONE_MODEL) and, where the entry names some, outliers
        uint8 (M, H, W, C). judge: the file of another backbone, by whose features a kind may choose
        how it trains."""

    def embed(
        self, pixels: np.ndarray, *, seeds: np.ndarray | None = None, progress: Progress = silent
    ) -> Embedding:
        """float32 arrays (N, ...), independent of batch size; no images give arrays of no rows.

        `seeds` uint64 (N,), one for each image, are for a detector that looks at images changed by
        chance: image i's rows depend on the image and seeds[i] alone. One that draws nothing takes
        no notice of them.
        """

    def save(self, path: Path) -> None:
        """One safetensors file."""

    def load(self, path: Path) -> None:
        """The inverse of save."""

    def graph(self, side: int) -> Any:
        """(where it can leave PyTorch) A network from pixels uint8 (n, side, side, C) to what
        `embed` gives in float32, {name: tensor (n, ...)}. A class that changes `embed` has one of
        its own, or cannot be exported."""


class Bank(Protocol):
    def __call__(self, embedding: Embedding, *, seed: int) -> Embedding:
        """The rows of the normal training images' embedding that are kept.

        Beside the detector's arrays it has "label", int64 (N,): the images' classes. An embedding
        is stored and shared by all methods, so what is far larger than its images cannot be one: a
        bank of patches (5,000 images at 224 pixels: 16 GB), thinned while they are made, is part of
        the detector's fit.
        """


class Score(Protocol):
    def __call__(
        self, bank: Embedding, queries: Embedding, *, seed: int = 0
    ) -> np.ndarray | Embedding:
        """float32 (N,), higher = more anomalous, or {"score": such, "map": float32 (N, h, w)} of a
        kind that also says where. Memory does not grow with N times the bank.

        Each image's score depends on the bank, the seed and that image alone.
        """


def score_of(found: np.ndarray | Embedding) -> np.ndarray:
    """The scores (N,) of what a Score gives, with a map or without."""
    return found["score"] if isinstance(found, dict) else found


class Metric(Protocol):
    def __call__(self, scores: np.ndarray, is_anomaly: np.ndarray) -> float:
        """A number in [0, 1] from scores (N,) and bool (N,); ValueError if a group is empty.

        One that has the keywords `classes` and `predicted` also gets the images' classes str (N,),
        and those that the detector takes them for; of methods that say none it gives no rows.
        """


class Closeness(Protocol):
    def __call__(
        self, features: np.ndarray, labels: np.ndarray, normals: list[np.ndarray]
    ) -> np.ndarray:
        """How close each anomaly class is to each normal class, (len(normals), K), rows sum to 1.

        features (N, D) and labels 0..K-1 (N,) of the anomaly classes' training images, `normals`
        (M, D) of the training images of one normal class each.
        """


class Drawing(Protocol):
    """A table or a figure of one experiment, or of several that one unites.

    `data` holds what READS asks for, each described in nearnd/report/reads.py, and always "labels",
    the display names {entry: words}, and "copies", the test sets that are changed copies of another
    one.
    """

    def __call__(self, data: dict[str, Any]) -> Any:
        """A DataFrame (MAKES = "table") or a matplotlib Figure (MAKES = "figure")."""
