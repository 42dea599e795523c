"""Which weights of a backbone are not trained."""

from torch import nn

from nearnd.networks.backbone import blocks

RESNET = ("conv1", "bn1", "layer1", "layer2")  # PANDA and MSAD train layer3 and layer4


def freeze(backbone: nn.Module, share: float, stem: bool) -> int:
    """Keeps the first `share` of the blocks, rounded down, from being trained; the `stem` too.
    Returns how many blocks these are.

    With the stem frozen nothing before the first trained block needs a gradient, so autograd
    records neither the stem nor the frozen blocks, and the backward pass ends there.
    """
    first, *rest = blocks(backbone)
    k = int(share * len(rest))
    names = {name for block in rest[:k] for name in block}
    names |= set(first) if stem else set()
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_(name not in names)
    return k


def freeze_as(backbone: nn.Module, what: list[str] | float | None) -> None:
    """Freezes the parameters that `what` says, and trains the others.

    A list holds names of modules or parameters ("layer1"); a number is the share of the blocks,
    with the stem if it is above 0; None is RESNET for a ResNet, stem and first half for any other
    network. ValueError if a name stands for no parameter, a share is not in 0..1, or nothing
    is left to train.
    """
    names = [name for name, _ in backbone.named_parameters()]
    children = {name for name, _ in backbone.named_children()}
    if what is None:
        what = list(RESNET) if children.issuperset(RESNET) else 0.5
    if isinstance(what, list):
        for part in what:
            if not any(_below(name, part) for name in names):
                raise ValueError(
                    f"freeze names {part!r}, of which the backbone has no parameter; it has"
                    f" {', '.join(sorted(children))}: change `freeze` in the detector's entry"
                )
        for name, parameter in backbone.named_parameters():
            parameter.requires_grad_(not any(_below(name, part) for part in what))
    else:
        if not 0 <= what <= 1:
            raise ValueError(f"freeze is {what}, a share of the blocks between 0 and 1, or names")
        freeze(backbone, what, stem=what > 0)
    if not any(p.requires_grad for p in backbone.parameters()):
        raise ValueError(f"freeze is {what}: nothing is left to train; freeze less in the entry")


def _below(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")
