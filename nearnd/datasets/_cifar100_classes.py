"""CIFAR-100's 20 coarse and 100 fine classes, in label order, and which belongs to which.

The groups are the authors' own (https://www.cs.toronto.edu/~kriz/cifar.html). A hand-made list
that was spread with the code of CSI mixes classes of 13 of the groups (alinlab/CSI, issue 21):
numbers made with it are of another task.
"""

GROUPS = {
    "aquatic_mammals": ["beaver", "dolphin", "otter", "seal", "whale"],
    "fish": ["aquarium_fish", "flatfish", "ray", "shark", "trout"],
    "flowers": ["orchid", "poppy", "rose", "sunflower", "tulip"],
    "food_containers": ["bottle", "bowl", "can", "cup", "plate"],
    "fruit_and_vegetables": ["apple", "mushroom", "orange", "pear", "sweet_pepper"],
    "household_electrical_devices": ["clock", "keyboard", "lamp", "telephone", "television"],
    "household_furniture": ["bed", "chair", "couch", "table", "wardrobe"],
    "insects": ["bee", "beetle", "butterfly", "caterpillar", "cockroach"],
    "large_carnivores": ["bear", "leopard", "lion", "tiger", "wolf"],
    "large_man-made_outdoor_things": ["bridge", "castle", "house", "road", "skyscraper"],
    "large_natural_outdoor_scenes": ["cloud", "forest", "mountain", "plain", "sea"],
    "large_omnivores_and_herbivores": ["camel", "cattle", "chimpanzee", "elephant", "kangaroo"],
    "medium_mammals": ["fox", "porcupine", "possum", "raccoon", "skunk"],
    "non-insect_invertebrates": ["crab", "lobster", "snail", "spider", "worm"],
    "people": ["baby", "boy", "girl", "man", "woman"],
    "reptiles": ["crocodile", "dinosaur", "lizard", "snake", "turtle"],
    "small_mammals": ["hamster", "mouse", "rabbit", "shrew", "squirrel"],
    "trees": ["maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"],
    "vehicles_1": ["bicycle", "bus", "motorcycle", "pickup_truck", "train"],
    "vehicles_2": ["lawn_mower", "rocket", "streetcar", "tank", "tractor"],
}
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
