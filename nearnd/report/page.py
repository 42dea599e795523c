"""A page on scored images: one file that asks for nothing else, to be sent on."""

import base64
import html
import json
import math
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from nearnd.report.heat import overlay, scale_of
from nearnd.report.new_images import Looks

MOST = 500  # images that are shown, the most unusual ones; the list has all
QUALITY = 78  # of the small JPEGs: 500 images with maps and neighbours stay below 5 MB
LITTLE = 48  # the side of the normal images beside


def page(
    table: pd.DataFrame,
    looks: Looks,
    lines: list[str],
    alpha: float,
    least: float,
    scale: tuple[float, float] | None = None,
    share: float = 1.0,
    normals: list[str] | None = None,
) -> str:
    """The page's HTML.

    table: as of `score_images`; lines: what stands above; alpha: where the slider stands, in false
    alarms among 1,000 normal images, until it is moved; least: the smallest p-value that there can
    be; scale, share: of the maps (heat.py); normals: the names of the normal images.
    """
    from jinja2 import Template

    order = table["p_value"].fillna(2).to_numpy()
    order = np.lexsort((-table["score"].fillna(0).to_numpy(), order))  # the most unusual first
    images, used = [], {}
    if looks.maps is not None and scale is None:  # an older model
        scale = scale_of(looks.maps)
    for place, i in enumerate(order):
        row = table.iloc[i]
        bad = bool(pd.isna(row["p_value"]))
        image = {
            "id": row["id"],
            "score": None if bad else float(f"{row['score']:.9g}"),
            "p_value": None if bad else float(row["p_value"]),
            "remark": row["remark"],
        }
        if place < MOST and not bad:
            image["picture"] = _jpeg(looks.small[i])
            if looks.maps is not None:
                image["map"] = _jpeg(overlay(looks.small[i], looks.maps[i], scale, share, "squash"))
            if looks.near is not None:
                image["near"] = [used.setdefault(int(j), len(used)) for j in looks.near[i]]
        images.append(image)
    names = normals or []
    shown = [
        {"id": names[j] if j < len(names) else f"normal image {j}", "picture": _little(looks, j)}
        for j in used
    ]
    data = {"images": images, "normals": shown, "least": least, "alpha": alpha}
    data = json.dumps(data, allow_nan=False)
    for mark, code in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
        data = data.replace(mark, code)  # nothing in a file's name ends the script
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    return template.render(
        title="Which images are unusual",
        lines=[html.escape(f"{line[:1].upper()}{line[1:]}.".replace("..", ".")) for line in lines],
        alpha=max(1, round(alpha)),
        most=max(200, math.ceil(alpha)),
        maps=looks.maps is not None,
        data=data,
    )


def _little(looks: Looks, row: int) -> str:
    from nearnd.files.decode import resize

    return _jpeg(resize(looks.normals[row : row + 1], LITTLE)[0])


def _jpeg(pixels: np.ndarray) -> str:
    """uint8 (H, W, 1 or 3) as base64."""
    from PIL import Image

    stream = BytesIO()
    plain = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(plain).save(stream, "JPEG", quality=QUALITY)
    return base64.b64encode(stream.getvalue()).decode("ascii")
