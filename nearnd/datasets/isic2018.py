"""ISIC 2018 task 3: photographs of skin lesions through a dermatoscope, seven diagnoses.

UNODE's split, after ReContrast: the moles (NV) of the training set train; the validation set is
scored, with moles as normal and the six other diagnoses as anomalies. Several photographs of the
training set can show one lesion; none of it is in the validation set.
"""

import csv
from pathlib import Path

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits

CLASSES = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]  # the csv's columns
NORMAL = "NV"
COUNTS = {"Training": 10_015, "Validation": 193}
LINKS = ["https://isic-challenge-data.s3.amazonaws.com/2018/"]
ARCHIVES = {
    "ISIC2018_Task3_Training_Input.zip": {"bytes": 2_600_000_000, "about": True},
    "ISIC2018_Task3_Training_GroundTruth.zip": {},
    "ISIC2018_Task3_Validation_Input.zip": {},
    "ISIC2018_Task3_Validation_GroundTruth.zip": {},
}
LICENCE = "CC BY-NC 4.0; cite Tschandl et al. (2018) and Codella et al. (2019)"
IMAGES = {"train": 6_705, "test": 193, "channels": 3}  # moles train


def _labels(archive: Path) -> dict[str, int]:
    """{image: position of its diagnosis in CLASSES} from the csv in the archive."""
    files = Archive(archive, r"(.+/)?ISIC2018_Task3_\w+\.csv")
    ((_, member),) = files.matching(r".+")
    labels = {}
    for row in csv.DictReader(files.lines(member.name)):
        try:
            marks = [float(row[name]) for name in CLASSES]
            labels[row["image"]] = marks.index(1.0)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"isic2018: {member}: no diagnosis in {dict(row)}") from error
    return labels


@reader
def build(archives, /, size: int = 256, fit: Fit = "squash"):
    """The training set's moles, and the validation set; uint8 (N, size, size, 3).

    ids are the file names. The photographs, 600x450, are squashed unless `fit` (files/picture.py)
    says otherwise.
    """
    splits = {}
    for split, part in (("train", "Training"), ("test", "Validation")):
        name = f"ISIC2018_Task3_{part}"
        labels = _labels(archives[f"{name}_GroundTruth.zip"])
        expect("isic2018", f"diagnoses of the {part.lower()} set", len(labels), COUNTS[part])
        files = Archive(archives[f"{name}_Input.zip"], r"(.+/)?ISIC_\d+\.jpg")
        places = {Path(m.name).stem: m for _, m in files.matching(r".+")}
        if missing := sorted(labels.keys() - places.keys()):
            raise ValueError(f"isic2018: {files.path} has no {missing[0]}.jpg")
        splits[split] = [
            (f"{image}.jpg", label, places[image])
            for image, label in labels.items()
            if split == "test" or CLASSES[label] == NORMAL
        ]
    return decode_splits(splits, size, fit=fit), CLASSES


def trained(**rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return [NORMAL]
