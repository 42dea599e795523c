"""CIFAR-10: 60,000 colour photographs of 32x32 pixels, ten classes, with the official split.

Read from the binary archive: the "python" one is a pickle (_cifar.py says more).
"""

import numpy as np

from nearnd.datasets._cifar import records
from nearnd.datasets._labelled import labelled
from nearnd.datasets._members import named
from nearnd.datasets._reader import reader

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARCHIVES = {
    "cifar-10-binary.tar.gz": {
        "urls": ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
        "sha1": {
            "cifar-10-batches-bin/data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
            "cifar-10-batches-bin/data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
            "cifar-10-batches-bin/data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
            "cifar-10-batches-bin/data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
            "cifar-10-batches-bin/data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
            "cifar-10-batches-bin/test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
        },
        "hint": "Any tar or zip of the official binary files will do, or their folder"
        " cifar-10-batches-bin itself; the pickles of cifar-10-batches-py will not.",
        "bytes": 170_052_171,
    }
}
LICENCE = "none stated; cite Krizhevsky, Learning Multiple Layers of Features (2009)"
IMAGES = {"train": 50_000, "test": 10_000, "channels": 3}
MEMBERS = {
    "train": [f"data_batch_{i}.bin" for i in range(1, 6)],
    "test": ["test_batch.bin"],
}
MOST = 40_000_000  # bytes of any file in the archive; 10,000 images have 30,730,000


@reader
def build(archives, /, size: int = 32):
    """5,000 training and 1,000 test images of each class, uint8 (N, size, size, 3).

    ids are "train/00000" (data_batch_1 to 5 in order) and "test/00000", as CIFAR-10-C counts them.
    """
    (archive,) = archives.values()
    batches = {
        name: records(content, f"{archive}: {name}", 1)
        for name, content in named(archive, MEMBERS["train"] + MEMBERS["test"], MOST)
    }
    splits = {}
    for split, names in MEMBERS.items():
        pixels, labels = (
            np.concatenate(parts) for parts in zip(*map(batches.pop, names), strict=True)
        )  # (N, H, W, C), (N, 1)
        splits[split] = labelled(pixels, labels[:, 0], split, CLASSES, archive, size)
    return splits, CLASSES
