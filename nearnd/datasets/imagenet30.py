"""ImageNet-30: thirty classes of ImageNet-1K that hardly overlap (Hendrycks et al. 2019).

One-vs-rest in RETH, an external set of anomalies in UNODE. 1,300 training and 100 test images of
each class.
"""

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

ARCHIVES = {"one_class_train.tar": {}, "one_class_test.tar": {}}
LICENCE = "ImageNet's terms of access: non-commercial research and education"
IMAGES = {"train": 39_000, "test": 3_000, "channels": 3}
GATED = (
    "ImageNet's terms (https://www.image-net.org/download) ask for a registration. Its README at"
    " https://github.com/hendrycks/ss-ood links two archives on Google Drive; name them"
    " one_class_train.tar and one_class_test.tar. They can also be packed from your own ImageNet"
    " copy: one folder for each of the 30 classes, the class's name as the folder's."
)
CLASSES = listed("imagenet30")


@reader
def build(archives, /, size: int = 256, fit: Fit = "crop"):
    """All classes, uint8 (N, size, size, 3). ids are like acorn/n12267677_1.JPEG; `fit` as in
    files/picture.py."""
    # one_class_train/acorn/n.JPEG, one_class_test/acorn/acorn/n.JPEG
    pattern = rf"(?:.*?/)?({'|'.join(CLASSES)})/(?:.+/)?([^/]+\.(?:JPEG|jpe?g|png))"
    splits = {}
    for split in ("train", "test"):
        files = Archive(archives[f"one_class_{split}.tar"], pattern)
        splits[split] = [
            (f"{match[1]}/{match[2]}", CLASSES.index(match[1]), member)
            for match, member in files.matching(pattern)
        ]
        if missing := set(range(len(CLASSES))) - {label for _, label, _ in splits[split]}:
            raise ValueError(f"imagenet30: {files.path} has no images of {CLASSES[min(missing)]}")
        expect("imagenet30", f"{split} images", len(splits[split]), IMAGES[split])
    return decode_splits(splits, size, fit=fit), CLASSES
