"""A method in one ONNX file, which onnxruntime scores with: neither PyTorch nor this package's
networks are needed. Beside the file <name>.onnx stands <name>.onnx.json: how pictures are read, and
the scores of held-out normal images.

The graph takes pixels uint8 (n, side, side, C) and gives `score` float32 (n,), `map` float32 (n, h,
w) where the method has one, and, where normal images can be shown beside new ones, `features`
float32 (n, D), `normal_features` float32 (M, D) and `normal_pictures` uint8 (M, s, s, C).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nearnd.contracts import Embedding
from nearnd.files.onnx import refuse
from nearnd.files.regular import regular, sha256
from nearnd.report import model_folder
from nearnd.report.model_folder import checked, named

ENDING = ".onnx"
VERSION = 1
MOST = 1 << 31  # bytes of the file, which protocol buffers allow
MOST_BATCH = 64  # images that go through the graph at a time
MOST_WIDE = 1 << 16  # numbers of an image's features
SCORE, MAP, FEATURES = "score", "map", "features"
NORMAL_FEATURES, NORMAL_PICTURES = "normal_features", "normal_pictures"
FACTS = {name: kind for name, kind in model_folder.FACTS.items() if name != "files"}
FACTS |= {"sha256": str, "batch": int, "checked": dict}
KNOWN = model_folder.KNOWN - {"files", "code"} | FACTS.keys()
INSTALL = "pip install -e '.[onnx]' -c constraints.txt"


def facts_of(file: Path) -> Path:
    """Where the facts of an ONNX file stand."""
    return file.with_name(f"{file.name}.json")


def read(file: Path) -> dict[str, Any]:
    """The facts of an ONNX file; `changed` is empty, since none of our code is in it. ValueError in
    a sentence if it cannot be used."""
    beside = facts_of(file)
    for needed in (file, beside):
        if not needed.exists():
            raise ValueError(f"there is no {needed}: `nearnd export MODEL --onnx {file}` makes it")
    with named(beside):
        facts = checked(beside, KNOWN, (VERSION, VERSION), FACTS)
        if not 1 <= facts["batch"] <= MOST_BATCH:
            raise ValueError(f"batch is {facts['batch']}; it may be 1 to {MOST_BATCH}")
    with named(file):
        if sha256(regular(file, MOST)) != facts["sha256"]:
            raise ValueError(f"it is not the file of which {beside.name} speaks")
    return facts | {"changed": []}


class Graph:
    """An ONNX file, ready to be run: called with pixels uint8 (N, side, side, C) it gives what the
    score gives, and what the detector embeds."""

    def __init__(self, file: Path, facts: dict[str, Any]):
        """ValueError if the file is damaged, or its shapes are not those of the facts."""
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError(f"{file} needs onnxruntime ({error}): {INSTALL}") from error
        content = regular(file, MOST).read_bytes()
        refuse(content)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = facts["threads"]
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it costs a core
        options.log_severity_level = 4  # what goes wrong is said by exceptions
        self.runtime, self.batch = onnxruntime, facts["batch"]
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.shapes = {put.name: put.shape[1:] for put in self.session.get_outputs()}
        self._check(facts)

    def _check(self, facts: dict[str, Any]) -> None:
        """Sizes, before anything of them is allocated."""
        size, channels = facts["images"]["size"], 3 if facts["images"]["mode"] == "RGB" else 1
        taken = [put.shape[1:] for put in self.session.get_inputs()]
        if taken != [[size, size, channels]]:
            raise ValueError(f"it takes {taken}, its facts say images of {size} x {size}")
        n, small = len(facts.get("normals", [])), model_folder.SMALL
        most = {
            SCORE: [], MAP: [size, size], FEATURES: [MOST_WIDE], NORMAL_FEATURES: [MOST_WIDE],
            NORMAL_PICTURES: [small, small, channels],
        }  # fmt: skip
        for name, shape in self.shapes.items():
            limits = most.get(name)
            whole = limits is not None and len(shape) == len(limits)
            if not whole or any(
                type(s) is not int or not 0 < s <= m for s, m in zip(shape, limits, strict=True)
            ):
                raise ValueError(f"it gives {name} of the shape {shape}; at most {limits} may be")
        for put in self.session.get_outputs():
            if put.name in (NORMAL_FEATURES, NORMAL_PICTURES) and put.shape[0] != n:
                raise ValueError(f"it has {put.shape[0]} normal images, its facts {n}")
        if SCORE not in self.shapes:
            raise ValueError("it gives no score")

    def __call__(self, pixels: np.ndarray) -> tuple[Embedding, Embedding]:
        wanted = [name for name in (SCORE, MAP, FEATURES) if name in self.shapes]
        whole = {name: np.empty((len(pixels), *self.shapes[name]), np.float32) for name in wanted}
        for i in range(0, len(pixels), self.batch):
            some = slice(i, i + self.batch)
            for name, found in zip(wanted, self._run(wanted, pixels[some]), strict=True):
                whole[name][some] = found
        embedded = {FEATURES: whole.pop(FEATURES)} if FEATURES in whole else {}
        return whole, embedded

    def normals(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Small copies uint8 (M, s, s, C) of the normal images, and their features (M, D)."""
        if NORMAL_PICTURES not in self.shapes:
            return None, None
        ((side, _, channels),) = [put.shape[1:] for put in self.session.get_inputs()]
        none = np.zeros((1, side, side, channels), np.uint8)
        return tuple(self._run([NORMAL_PICTURES, NORMAL_FEATURES], none))

    def _run(self, wanted: list[str], pixels: np.ndarray) -> list[np.ndarray]:
        how = self.runtime.RunOptions()
        how.log_severity_level, how.only_execute_path_to_fetches = 4, True
        name = self.session.get_inputs()[0].name
        return self.session.run(wanted, {name: np.ascontiguousarray(pixels)}, how)


Scores = Callable[[np.ndarray], tuple[Embedding, Embedding]]


def opened(
    file: Path, facts: dict[str, Any]
) -> tuple[Scores, np.ndarray | None, np.ndarray | None]:
    """What `new_images.Model` has behind its facts."""
    graph = Graph(file, facts)
    return graph, *graph.normals()
