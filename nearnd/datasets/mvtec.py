"""MVTec AD: photographs of products and textures, with defects to be found, one category each.

Training images are good ones; the test split has good ones and several kinds of defects, with masks
that mark them. The papers take one category at a time: anomaly means defect.
"""

from nearnd.contracts import Images
from nearnd.datasets._archive import Archive
from nearnd.datasets._reader import Reader
from nearnd.files.decode import decode_masks, decode_splits

ARCHIVES = {
    "mvtec_anomaly_detection.tar.xz": {
        "sha256": "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d",
        "bytes": 4_900_000_000,
        "about": True,
    }
}
LICENCE = "CC BY-NC-SA 4.0; cite Bergmann et al. (2021)"
GATED = (
    "Fill in the form at https://www.mvtec.com/company/research/datasets/mvtec-ad/downloads"
    " (CC BY-NC-SA 4.0, not for commercial use) and take the archive of the whole dataset,"
    " mvtec_anomaly_detection.tar.xz (4.9 GB). A category's own archive, unpacked, can be used as"
    " an image_folder."
)
CATEGORIES = {  # training images, test images and kinds of defects, of its paper
    "bottle": (209, 83, "broken_large broken_small contamination"),
    "cable": (
        *(224, 150),
        "bent_wire cable_swap combined cut_inner_insulation cut_outer_insulation"
        " missing_cable missing_wire poke_insulation",
    ),
    "capsule": (219, 132, "crack faulty_imprint poke scratch squeeze"),
    "carpet": (280, 117, "color cut hole metal_contamination thread"),
    "grid": (264, 78, "bent broken glue metal_contamination thread"),
    "hazelnut": (391, 110, "crack cut hole print"),
    "leather": (245, 124, "color cut fold glue poke"),
    "metal_nut": (220, 115, "bent color flip scratch"),
    "pill": (267, 167, "color combined contamination crack faulty_imprint pill_type scratch"),
    "screw": (320, 160, "manipulated_front scratch_head scratch_neck thread_side thread_top"),
    "tile": (230, 117, "crack glue_strip gray_stroke oil rough"),
    "toothbrush": (60, 42, "defective"),
    "transistor": (213, 100, "bent_lead cut_lead damaged_case misplaced"),
    "wood": (247, 79, "color combined hole liquid scratch"),
    "zipper": (
        *(240, 151),
        "broken_teeth combined fabric_border fabric_interior rough split_teeth squeezed_teeth",
    ),
}


def count(of, *, category: str, **rest) -> dict[str, int]:
    """See contracts.py."""
    train, test, _ = CATEGORIES[category]
    return {"train": train, "test": test, "channels": 3}


def build(category: str = "bottle", size: int = 256) -> Reader:
    """One category, uint8 (N, size, size, 3), masks of the test images uint8 (N, size, size).

    Classes are good and the kinds of defects. ids are paths like test/crack/000.png.
    """
    names = classes(category)

    def read(archives):
        (archive,) = archives.values()
        image = rf"(?:.+/)?{category}/((train|test)/(\w+)/\d+\.png)"
        drawn = rf"(?:.+/)?{category}/ground_truth/(\w+/\d+)_mask\.png"
        files = Archive(archive, f"{image}|{drawn}")
        marked = {match[1]: member for match, member in files.matching(drawn)}

        splits, masks, seen = {"train": [], "test": []}, [], []
        for match, member in files.matching(image):
            path, split, kind = match.groups()
            if kind not in names:
                raise ValueError(
                    f"mvtec: {member} is of the kind {kind}, {category} has {', '.join(names)}"
                )
            splits[split].append((path, names.index(kind), member))
            if split == "test":
                key = path.removeprefix("test/").removesuffix(".png")
                if kind != "good" and key not in marked:
                    raise ValueError(f"mvtec: {archive} has no mask of {member.name}")
                masks.append((path, marked.get(key)))
                seen.append(member)
        images = decode_splits(splits, size)
        images["test"] = Images(*images["test"][:3], decode_masks(masks, size, images=seen))
        return images, names

    return Reader(read)


def classes(category: str = "bottle", **rest) -> list[str]:
    """good, and the kinds of defects of a category. ValueError for another category."""
    if category not in CATEGORIES:
        raise ValueError(
            f"mvtec: unknown category {category!r}; there is {', '.join(sorted(CATEGORIES))}"
        )
    return ["good", *CATEGORIES[category][2].split()]


def trained(**rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return ["good"]
