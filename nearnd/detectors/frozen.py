"""The backbone as it is: features of a network that never saw a normal image (DN2)."""

from dataclasses import dataclass

from nearnd.detectors._trained import Given, OnBackbone
from nearnd.jobs.device import device

NEEDS = ["backbone"]
EMBEDS = ["features"]
ONE_MODEL = True


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {}


@dataclass
class Frozen(OnBackbone):
    """The features of the backbone; nothing is trained."""

    resize: int | None = None  # the shorter side of the resized image; null: the backbone file's
    crop: int | None = None  # the side of the centre that is embedded; null: the backbone file's
    precision: str = "auto"  # or fp32, bf16

    def learn(self, given: Given) -> None:
        """Loads the backbone."""
        self.net = self.open(given).to(device())


build = Frozen
