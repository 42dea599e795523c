"""The steps of StyleGAN2-ADA: each network's own, and now and then one of its penalty.

Karras et al., "Training Generative Adversarial Networks with Limited Data", and for lazy
regularization "Analyzing and Improving the Image Quality of StyleGAN", section 3.1: a penalty comes
in every k-th step with k times its weight, in a step of the optimizer of its own. So that the
optimizer moves as if it were in each, its rate and decays are brought to the power k / (k + 1).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nearnd.generators._latent import Training
from nearnd.generators.stylegan2_ada import StyleGAN2ADA
from nearnd.jobs.update import Update
from nearnd.networks.ada import Ada
from nearnd.networks.adversarial import LOG_P, fixed
from nearnd.networks.style_discriminator import StyleDiscriminator
from nearnd.networks.style_penalties import PathPenalty, path_lengths, r1


def compete(
    model: StyleGAN2ADA, network: dict[str, Any], show: Callable[[int], Tensor], dev: torch.device
) -> Training:
    """A training of the networks with these arguments; see `Latent.training`."""
    generator = model.bare(**network).to(dev).train()
    critic = StyleDiscriminator(**model.critic(network)).to(dev).train()
    ada = Ada(model.target, model.ada_images, model.p).to(dev)
    penalty = PathPenalty().to(dev)
    adam = {
        "generator": _adam(generator, model.lr, model.path_every),
        "critic": _adam(critic, model.lr, model.r1_every),
    }
    of = {"generator": "generator", "path": "generator", "critic": "critic", "r1": "critic"}
    update = {name: Update(adam[which], name=name) for name, which in of.items()}
    batch = model.batch

    def draw() -> Tensor:
        return generator.synthesis(*generator.mixed(batch, model.mixing))

    def paths() -> Tensor:
        w, noise = generator.mixed(max(1, batch // 2), model.mixing)
        x = generator.synthesis(w, noise)  # (B/2, C, S, S)
        lengths = path_lengths(x, w, torch.randn(x.shape).to(dev))
        return penalty(lengths).mean() * (model.path * model.path_every)

    def slopes(real: Tensor) -> Tensor:
        real = real.clone().requires_grad_()
        penalties = r1(critic(ada(real)), real)  # (B,)
        return penalties.mean() * (model.r1 / 2 * model.r1_every)

    def tell(real: Tensor, fake: Tensor) -> Tensor:
        logits = critic(ada(real))  # (B,)
        ada.seen(logits)
        return LOG_P.tell(logits, critic(ada(fake)))

    def step(i: int) -> dict[str, float]:
        with fixed(critic):
            losses = {"generator": update["generator"](i, lambda: LOG_P.fool(critic(ada(draw()))))}
        if model.path and i % model.path_every == 0:
            losses["path"] = update["path"](i, paths)
        real = show(i)  # (B, C, S, S)
        with torch.no_grad():
            fake = draw()
        losses["critic"] = update["critic"](i, lambda: tell(real, fake))
        if model.r1 and i % model.r1_every == 0:
            losses["r1"] = update["r1"](i, lambda: slopes(real))
        if (i + 1) % model.ada_every == 0:
            ada.move(batch * model.ada_every)
        return losses | {"p": float(ada.p)}

    def rate(n: int) -> float:
        """Of the average of the weights after n steps: half of it is older than so many images."""
        half = model.ema_images
        if model.ema_ramp is not None:
            half = min(half, n * batch * model.ema_ramp)
        return 0.5 ** (batch / half)

    parts = {"generator": generator, "critic": critic, "ada": ada, "path": penalty}
    parts |= {f"adam of {name}": optimizer for name, optimizer in adam.items()}
    return Training(step, parts, "generator", {"generator": rate})


def _adam(net: nn.Module, lr: float, every: int) -> torch.optim.Adam:
    c = every / (every + 1)
    return torch.optim.Adam(net.parameters(), lr * c, betas=(0.0, 0.99**c), eps=1e-8)
