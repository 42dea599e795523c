"""One-class OpenGAN: a GAN of frozen features of normal images, whose discriminator is the score.

Kong and Ramanan, "OpenGAN: Open-Set Recognition via Open Data Generation". The settings are those
of its code for features, without the outliers that it may see in training. The code also chooses
the epoch on a validation set with outliers; here the last one is taken, of a number that is set
beforehand. FITYMI, which reports a one-class OpenGAN, does not say how it was made or stopped: it
prints 50.0 for CIFAR-10vs100, where its numbers by class average 18.8.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, OnBackbone
from nearnd.files.header import extended, whole
from nearnd.jobs.device import device
from nearnd.jobs.update import Update
from nearnd.networks import backbone as networks
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.feature_gan import Discriminator, Generator, noise

NEEDS = ["backbone"]
EMBEDS = ["logit"]


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py. The GAN is small beside a backbone."""
    return {"embedded": about.images}


class Judged(nn.Module):
    """A frozen network, and the discriminator of its features."""

    def __init__(self, backbone: nn.Module, width: int):
        super().__init__()
        self.backbone = backbone
        self.critic = Discriminator(networks.width(backbone), width)


@dataclass
class OpenGAN(OnBackbone):
    """Features of the backbone are computed once, and a GAN is trained on them."""

    width: int = 64  # of the discriminator's last layer; 8 times that of its first
    epochs: int = 100
    batch: int = 128
    lr: float = 1e-4  # of the generator, Adam
    lr_critic: float = 1e-4 / 1.5

    FACTS = extended(OnBackbone.FACTS, width=whole(most=4096))

    def learn(self, given: Given) -> None:
        """A step moves the discriminator by real and by made features, then the generator, whose
        loss is that of made features called real."""
        on, pixels = device(), given.normal.pixels
        model = self.open(given).to(on)
        self.facts["width"] = self.width
        n = len(pixels)
        real = torch.from_numpy(self.features_of(model, pixels)).to(on)  # (N, D)
        torch.manual_seed(given.seed)
        self.net = self.untrained(model).to(on)
        critic = self.net.critic.train()
        generator = Generator(real.shape[1], self.width).to(on).train()
        adams = {
            "critic": torch.optim.Adam(critic.parameters(), self.lr_critic, betas=(0.5, 0.999)),
            "generator": torch.optim.Adam(generator.parameters(), self.lr, betas=(0.5, 0.999)),
        }
        update = {name: Update(optimizer, name=name) for name, optimizer in adams.items()}

        def step(i: int) -> dict[str, float]:
            h = real[torch.from_numpy(batch_rows(i, n, self.batch, given.seed)).to(on)]

            def tell() -> Tensor:  # log p of the right answers
                made = generator(noise(len(h), h)).detach()
                return softplus(-critic(h)).mean() + softplus(critic(made)).mean()

            def fool() -> Tensor:
                return softplus(-critic(generator(noise(len(h), h)))).mean()

            return {"critic": update["critic"](i, tell), "generator": update["generator"](i, fool)}

        parts = {"critic": critic, "generator": generator}
        parts |= {f"adam of {name}": optimizer for name, optimizer in adams.items()}
        given.loop(step, parts, steps=self.epochs * steps_per_epoch(n, self.batch))

    def untrained(self, model: nn.Module | None = None) -> Judged:
        return Judged(model or self.bare(), self.facts["width"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"logit": float32 (N,)}, the discriminator's of fake minus that of real: it ranks as its
        probability does, but does not end at 0 and 1, where ties begin."""
        net = self.fitted("embed").eval()
        h = self.features_of(net.backbone, pixels, progress)
        critic = net.critic
        with torch.inference_mode():
            parts = [-critic(torch.from_numpy(some).to(device())) for some in _cut(h)]
        return {"logit": torch.cat(parts).float().cpu().numpy()}


def _cut(h: np.ndarray, rows: int = 4096) -> list[np.ndarray]:
    """Features in parts, at least one."""
    return [h[i : i + rows] for i in range(0, max(1, len(h)), rows)]


build = OpenGAN
