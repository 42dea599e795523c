"""The training of two networks against each other, in one step of the training loop."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.generators._latent import Training
from nearnd.generators._noise import ImageNoise
from nearnd.jobs.update import Update
from nearnd.networks.adversarial import Game, fixed

STANDING = 16  # batches of which the norms of averaged weights get their statistics


def play(
    generator: nn.Module,
    critic: nn.Module,
    game: Game,
    show: Callable[[int], Tensor],
    *,
    adam: dict[str, dict[str, Any]],  # arguments of Adam: of the "generator", of the "critic"
    turns: int = 1,  # of the critic, before one of the generator
    ema: float | None = None,  # averaging rate of the generator's weights
    settle: Callable[[nn.Module], dict[str, Tensor]] = nn.Module.state_dict,  # what is kept of it
) -> Training:
    """The critic moves by new images each turn, real and drawn; then the generator by drawn ones.

    Averaged weights need other statistics in their batch norms than the live ones: they are taken
    of STANDING batches, always of the same latent variables, when a snapshot is kept.
    """
    nets = {"generator": generator, "critic": critic}
    optimizers = {
        name: torch.optim.Adam(net.parameters(), **adam[name]) for name, net in nets.items()
    }
    update = {name: Update(optimizer, name=name) for name, optimizer in optimizers.items()}

    def draw(like: Tensor) -> Tensor:
        return generator(torch.randn(len(like), generator.latent).to(like.device))

    def step(i: int) -> dict[str, float]:
        for turn in range(turns):
            x = show(turns * i + turn)  # (B, C, S, S)
            with torch.no_grad():
                fake = draw(x)
            told = update["critic"](i, lambda: game.tell(critic(x), critic(fake)))  # noqa: B023
        with fixed(critic):
            fooled = update["generator"](i, lambda: game.fool(critic(draw(x))))
        return {"critic": told, "generator": fooled}

    def kept(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        copy = _copy(generator, weights)
        if ema is not None:
            stand(copy)
        return settle(copy)

    parts = nets | {f"adam of {name}": optimizer for name, optimizer in optimizers.items()}
    averaged = {} if ema is None else {"generator": ema}
    return Training(step, parts, "generator", averaged, kept)


def _copy(net: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    from copy import deepcopy

    copy = deepcopy(net)
    copy.load_state_dict(weights)
    return copy


@torch.no_grad()
def stand(net: nn.Module, batch: int = 64) -> None:
    """Gives the batch norms the mean statistics of STANDING batches of drawn images."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all
    dev = next(net.parameters()).device
    net.train()
    for i in range(STANDING):
        seeds = np.arange(i * batch, (i + 1) * batch, dtype=np.uint64)
        net(ImageNoise(seeds, (), dev)(net.latent))
