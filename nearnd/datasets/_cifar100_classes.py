"""CIFAR-100's 20 coarse and 100 fine classes, in label order, and which belongs to which.

The groups are the authors' own (https://www.cs.toronto.edu/~kriz/cifar.html). A hand-made list
that was spread with the code of CSI mixes classes of 13 of the groups (alinlab/CSI, issue 21):
numbers made with it are of another task.
"""

from nearnd.plugins import listed

GROUPS = {line.split(":")[0]: line.split()[1:] for line in listed("cifar100")}
COARSE = sorted(GROUPS)
FINE = sorted(name for group in GROUPS.values() for name in group)


def names(labels: str) -> list[str]:
    """The classes of `labels`, "coarse" or "fine"; ValueError for anything else."""
    if labels not in ("coarse", "fine"):
        raise ValueError(f"cifar100: labels is {labels!r}, it must be coarse or fine")
    return COARSE if labels == "coarse" else FINE


def coarse_of_fine() -> list[int]:
    """For each fine label the coarse one, 100 numbers."""
    group = {name: COARSE.index(coarse) for coarse, fine in GROUPS.items() for name in fine}
    return [group[name] for name in FINE]
