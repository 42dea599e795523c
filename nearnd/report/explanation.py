"""A picture that explains one image's score."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd.files.arrays import replacing
from nearnd.report.heat import overlay, picture, scale_of
from nearnd.report.new_images import Looks

INCHES, DPI = 2.6, 150  # of a panel
LETTERS = 28  # of a file's name


def draw(
    out: Path, file: Path, row: pd.Series, looks: Looks, near: list[str], facts: dict[str, Any]
) -> None:
    """A PNG: the image, where it differs, the normal images that are nearest.

    row: of the table of `score_images`; looks: of this image; near: names of those normal images.
    """
    from matplotlib.figure import Figure

    seen = picture(file)
    panels = [(f"{_short(row['id'])}\np = {row['p_value']:.2g}", seen)]
    if looks.maps is not None:
        scale = facts.get("map_scale") or scale_of(looks.maps)
        fit = facts["images"].get("fit", "squash")
        drawn = overlay(seen, looks.maps[0], scale, facts.get("map_share", 1.0), fit)
        panels.append(("brightest: as no held-out\nnormal image", drawn))
    for name, i in zip(near, [] if looks.near is None else looks.near[0], strict=True):
        panels.append((f"near: {_short(name)}", looks.normals[i]))
    figure = Figure(figsize=(INCHES * len(panels), INCHES + 0.5), layout="constrained")
    for axes, (title, pixels) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        axes.imshow(np.squeeze(pixels), cmap="gray", vmin=0, vmax=255)
        axes.set_title(title, fontsize=8)
        axes.set_axis_off()
    with replacing(out) as part:
        figure.savefig(part, format="png", dpi=DPI)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else "..." + name[3 - LETTERS :]
