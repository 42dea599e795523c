"""One step of one optimizer: rate, gradients in parts, the guard against divergence, clipping."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

DIVERGED = 1e6  # times the first loss: weights that give such a one are of no use


class Update:
    """An optimizer and how it takes its steps, one for each call."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        params: Iterable[Tensor] | None = None,  # whose gradients are clipped; None: all of its own
        schedule: Callable[[int], float] | None = None,  # step -> factor of the learning rate
        clip: float | None = None,  # largest norm of all gradients together
        out_of_memory: Callable[[], None] | None = None,  # makes a loss's parts smaller, or raises
        name: str = "loss",  # in errors
    ):
        own = (p for group in optimizer.param_groups for p in group["params"])
        self.params = list(own if params is None else params)
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self.optimizer, self.schedule, self.clip = optimizer, schedule, clip
        self.out_of_memory, self.name, self.first = out_of_memory, name, None

    def __call__(self, step: int, loss: Callable[[], Tensor | Iterable[Tensor]]) -> float:
        """Moves the parameters down the gradient of `loss()` and returns its value.

        The loss may come in parts that add up to it: each is propagated back, and its memory freed,
        before the next is asked for. Where the GPU's memory does not suffice, `out_of_memory()` is
        called, and `loss()` again, with the random numbers that it had: draw inside or before.
        FloatingPointError, with the parameters as they were, if loss or gradient are of no use.
        """
        factor = 1.0 if self.schedule is None else self.schedule(step)
        self._multiply_rates(factor)
        value = self._gradients(loss)
        norm = get_total_norm([p.grad for p in self.params if p.grad is not None])
        self.first = value if self.first is None else self.first
        check(self.name, value, self.first, float(norm), self.rates[0] * factor)
        if self.clip is not None:
            clip_grads_with_norm_(self.params, self.clip, norm)
        self.optimizer.step()
        self._multiply_rates(1.0)
        return value

    def _multiply_rates(self, factor: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def _gradients(self, loss: Callable[[], Tensor | Iterable[Tensor]]) -> float:
        """Sets the gradients and returns the loss."""
        rewind = self.out_of_memory and _random_numbers()
        while True:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return _backward(loss())
            except torch.OutOfMemoryError:
                if self.out_of_memory is None:
                    raise
            self.out_of_memory()  # not in the except clause, which keeps the failed tensors alive
            rewind()


def _backward(loss: Tensor | Iterable[Tensor]) -> float:
    """Adds the gradients of a loss, given whole or in parts, and returns its value."""
    value = 0.0
    for part in [loss] if isinstance(loss, Tensor) else loss:
        part.backward()
        value = value + part.detach()
    return float(value)


def _random_numbers() -> Callable[[], None]:
    """A function that sets torch's global generators back to where they are now."""
    host = torch.get_rng_state()
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []

    def rewind() -> None:
        torch.set_rng_state(host)
        if gpus:
            torch.cuda.set_rng_state_all(gpus)

    return rewind


def check(
    name: str, value: float, first: float, norm: float | None = None, rate: float | None = None
) -> None:
    """FloatingPointError if a loss or its gradient norm is not finite, or the loss DIVERGED times
    the first one in absolute value."""
    finite = math.isfinite(value) and (norm is None or math.isfinite(norm))
    if finite and abs(value) <= DIVERGED * max(abs(first), 1.0):
        return
    more = "" if norm is None else f", gradient norm {norm:.4g}, learning rate {rate:g}"
    raise FloatingPointError(f"{name} {value:.4g} (at first {first:.4g}){more}")
