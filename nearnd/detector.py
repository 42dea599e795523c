"""A trained method from Python, without the workflow.

from nearnd import Detector

detector = Detector.load("model")        # what `nearnd fit` or `nearnd export` made
table = detector.score("new_pictures")   # or paths, PIL images, arrays
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL.Image import Image

    Picture = str | Path | Image | np.ndarray


class Detector:
    """A trained method, ready to score new images."""

    def __init__(self, model):
        """See `load` and `fit`. model: as of `nearnd.report.new_images.opened`."""
        self._model = model

    @classmethod
    def load(cls, folder: str | Path) -> Detector:
        """The method in a model folder or an ONNX file. ValueError in one sentence if it is
        damaged."""
        from nearnd.report.models import read
        from nearnd.report.new_images import opened

        folder = Path(folder)
        return cls(opened(folder, read(folder)))

    @classmethod
    def fit(cls, images: str | Path, model: str | Path, **options) -> Detector:
        """The method trained on a folder of normal images by the workflow, put into `model`.

        options: method, normal, form, work, mirrors, cores, tile: see nearnd/plan/fit.py.
        """
        from nearnd.plan.fit import fit

        fit(Path(images), Path(model), **options)
        return cls.load(model)

    @property
    def facts(self) -> dict[str, Any]:
        """What stands in the JSON: the entries, the images, the scores of held-out ones."""
        return self._model.facts

    def score(
        self,
        images: Picture | Iterable[Picture],
        alpha: float = 50,
        delta: float | None = None,
        fdr: float | None = None,
    ) -> pd.DataFrame:
        """A row for each image: id, score (higher is more unusual), p_value, anomalous, remark.

        images: a folder, a path, a PIL image, uint8 (H, W) or (H, W, 1 or 3), several of them
        in (N, H, W, C) or in a list. alpha: false alarms among 1,000 new normal images at most;
        delta, fdr: see nearnd/report/conformal.py. An image that cannot be read has a remark and no
        score. ValueError for what is no image at all.
        """
        from nearnd.report.conformal import Decision
        from nearnd.report.new_images import score_images

        return score_images(self._model, _sources(images), Decision(alpha, delta, fdr))[0]


def _sources(images) -> list[tuple[str, Any]]:
    """(name, file or its content) of each image."""
    import numpy as np

    from nearnd.files.image_folders import nothing, pictures

    if isinstance(images, str | Path) and not Path(images).exists():
        raise ValueError(f"there is no {images}")
    if isinstance(images, str | Path) and Path(images).is_dir():
        root = Path(images)
        files = sorted(pictures(root, True))
        if not files:
            raise ValueError(nothing(root))
        return [(file.relative_to(root).as_posix(), file) for file in files]
    alone = not isinstance(images, Iterable) or isinstance(images, str | Path)
    if alone or (isinstance(images, np.ndarray) and images.ndim != 4):
        images = [images]
    return [_source(image, i) for i, image in enumerate(images)]


def _plain(array: np.ndarray) -> bool:
    """Whether an array is one picture: (H, W) or (H, W, 1 or 3)."""
    return array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))


def _source(image, i: int) -> tuple[str, Any]:
    import numpy as np
    from PIL import Image

    if isinstance(image, str | Path):
        return str(image), Path(image)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or not _plain(image) or not image.size:
            raise ValueError(
                f"image {i} is {image.dtype} {image.shape};"
                " it may be uint8 (H, W) or (H, W, 1 or 3)"
            )
        image = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
    if not isinstance(image, Image.Image):
        raise ValueError(f"image {i} is a {type(image).__name__}, no path, PIL image or array")
    stream = BytesIO()
    image.save(stream, "PNG", compress_level=1)  # lossless, and then read as any file is
    return f"image {i}", stream.getvalue()
