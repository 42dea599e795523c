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

    def learn(self, given: Given) -> None:
        """Loads the backbone."""
        self.net = self.open(given).to(device())


build = Frozen
