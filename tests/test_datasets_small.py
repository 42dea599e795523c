"""The small-image datasets: what is read from miniature archives in each set's true layout, made
here, is what was put in; and archives that are cut off, of another set or hostile are refused.

The true archives are not here, but for those in NEARND_MIRROR."""

import gzip
import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.datasets import _cifar100_classes, _members
from nearnd.files import fetch, tables
from nearnd.plan import archives as sources
from nearnd.plan.check import check
from nearnd.plan.dataset_sizes import Counts
from nearnd.plan.run import Run
from nearnd.report.evaluate import evaluate

ROOT = Path(__file__).resolve().parents[1]
MIRROR = ROOT / os.environ.get("NEARND_MIRROR", "../shared/data")
RNG = np.random.default_rng(0)


def build(kind, **arguments):
    return plugins.build("datasets", {"kind": kind, **arguments})


# ---- archives in their true layouts ----


def pixels(n, side=32, channels=3):
    return RNG.integers(0, 256, (n, side, side, channels)).astype(np.uint8)


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def picture(image, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", **options)
    return file.getvalue()


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def tar(path: Path, files: dict[str, bytes], mode="w:gz") -> Path:
    with tarfile.open(path, mode) as out:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def idx(array) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def planes(labels, images) -> bytes:
    """CIFAR's records: labels, then red, green, blue."""
    labels = np.asarray(labels).astype(np.uint8)
    rows = zip(labels, images.transpose(0, 3, 1, 2), strict=True)
    return b"".join(label.tobytes() + image.tobytes() for label, image in rows)


def make_cifar10(folder):
    images, labels = pixels(22), np.arange(22) % 10
    parts = [slice(2 * i, 2 * i + 2) for i in range(5)]
    files = {
        f"data_batch_{i + 1}.bin": planes(labels[p, None], images[p]) for i, p in enumerate(parts)
    }
    files["test_batch.bin"] = planes(labels[10:, None], images[10:])
    order = [2, 0, 5, 4, 1, 3]  # an archive has its files in any order
    files = [list(files.items())[i] for i in order] + [("batches.meta.txt", b"airplane\n")]
    archive = tar(
        folder / "cifar-10-binary.tar.gz", {f"cifar-10-batches-bin/{k}": v for k, v in files}
    )
    truth = {"train": (images[:10], labels[:10]), "test": (images[10:], labels[10:])}
    return [archive], truth


FINE = [0, 1, 2, 3, 99, 69]
COARSE = [4, 1, 14, 8, 13, 19]  # apple is fruit, fish is fish, baby is people, ..., rocket


def make_cifar100(folder, column=0):
    images, labels = pixels(6), np.array([COARSE, FINE]).T
    archive = tar(
        folder / "cifar-100-binary.tar.gz",
        {
            "cifar-100-binary/fine_label_names.txt": b"apple\n",
            "cifar-100-binary/test.bin": planes(labels[4:], images[4:]),
            "cifar-100-binary/train.bin": planes(labels[:4], images[:4]),
        },
    )
    labels = labels[:, column]
    return [archive], {"train": (images[:4], labels[:4]), "test": (images[4:], labels[4:])}


def make_mnist(folder):
    images, labels = pixels(9, 28, 1), np.array([5, 0, 4, 1, 9, 2, 1, 3, 9])
    files = {
        "train-images-idx3-ubyte.gz": images[:5, ..., 0],
        "train-labels-idx1-ubyte.gz": labels[:5],
        "t10k-images-idx3-ubyte.gz": images[5:, ..., 0],
        "t10k-labels-idx1-ubyte.gz": labels[5:],
    }
    for name, array in files.items():
        (folder / name).write_bytes(idx(array))
    truth = {"train": (images[:5], labels[:5]), "test": (images[5:], labels[5:])}
    return [folder / name for name in files], truth


def make_emnist(folder):
    images, labels = pixels(6, 28, 1), np.array([0, 25, 3, 7, 7, 25])
    files = {}
    for name, part in (("train", slice(0, 4)), ("test", slice(4, 6))):
        stored = images[part, ..., 0].transpose(0, 2, 1)  # the source has them transposed
        files[f"gzip/emnist-letters-{name}-images-idx3-ubyte.gz"] = idx(stored)
        files[f"gzip/emnist-letters-{name}-labels-idx1-ubyte.gz"] = idx(labels[part] + 1)
    files["gzip/emnist-digits-test-labels-idx1-ubyte.gz"] = b"another set of the same zip"
    truth = {"train": (images[:4], labels[:4]), "test": (images[4:], labels[4:])}
    return [zipped(folder / "gzip.zip", files)], truth


def make_svhn(folder):
    from scipy.io import savemat

    images, labels = pixels(7), np.array([1, 0, 9, 2, 0, 5, 1])
    parts = {"train": slice(0, 4), "test": slice(4, 7)}
    files = []
    for split, part in parts.items():
        file = folder / f"{split}_32x32.mat"
        stored = {
            "X": images[part].transpose(1, 2, 3, 0),
            "y": np.where(labels[part] == 0, 10, labels[part])[:, None].astype(np.uint8),
        }
        savemat(file, stored, do_compression=True)
        files.append(file)
    return files, {split: (images[part], labels[part]) for split, part in parts.items()}


WORDNET = ["n01443537", "n01629819", "n12267677"]  # the first two of the classes and the last


def make_tiny_imagenet(folder):
    files, train, test = {}, [], []
    for label, name in zip((0, 1, 199), WORDNET, strict=True):
        for i in range(2):
            grey = pixels(1, 64, 1)[0, ..., 0]
            content = picture(grey if i else pixels(1, 64)[0])  # some of its images are grey
            files[f"tiny-imagenet-200/train/{name}/images/{name}_{i}.JPEG"] = content
            train.append((decoded(content), label))
        files[f"tiny-imagenet-200/train/{name}/{name}_boxes.txt"] = b"0 0 1 1\n"
    lines = []
    for i, name in enumerate(reversed(WORDNET)):
        content = picture(pixels(1, 64)[0])
        files[f"tiny-imagenet-200/val/images/val_{i}.JPEG"] = content
        lines.append(f"val_{i}.JPEG\t{name}\t0\t32\t44\t62\n")
        test.insert(0, (decoded(content), (199, 1, 0)[i]))
    files["tiny-imagenet-200/val/val_annotations.txt"] = "".join(lines).encode()
    files["tiny-imagenet-200/test/images/test_0.JPEG"] = picture(pixels(1, 64)[0])  # no label
    truth = {
        split: (np.stack([image for image, _ in rows]), np.array([label for _, label in rows]))
        for split, rows in (("train", train), ("test", test))
    }
    return [zipped(folder / "tiny-imagenet-200.zip", files)], truth


NONE = (np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int))


def make_random_images(folder):
    images = pixels(5)
    (folder / "300K_random_images.npy").write_bytes(npy(images))
    return [folder / "300K_random_images.npy"], {"train": (images, np.zeros(5, int)), "test": NONE}


def make_cifar_c(folder, name="CIFAR-10-C", labels=(3, 8, 8), truth=(3, 8, 8)):
    """Three test images; row 3 (s - 1) + i of a corruption is image i at severity s."""
    from nearnd.datasets._cifar_c import CORRUPTIONS

    arrays = {corruption: pixels(15) for corruption in CORRUPTIONS}
    files = {f"{name}/{corruption}.npy": npy(array) for corruption, array in arrays.items()}
    files[f"{name}/labels.npy"] = npy(np.tile(labels, 5).astype(np.uint8))
    shown = np.concatenate(list(arrays.values()))  # corruption, severity, image
    expected = {"train": NONE, "test": (shown, np.tile(truth, 5 * len(arrays)))}
    return [tar(folder / f"{name}.tar", files, "w")], expected


def make_cifar100_c(folder):
    return make_cifar_c(folder, "CIFAR-100-C", (0, 2, 69), (4, 14, 19))  # fine in, coarse out


def make_mnist_c(folder):
    from nearnd.datasets.mnist_c import CORRUPTIONS

    labels, files, shown = np.array([7, 2]), {}, []
    for name in [*CORRUPTIONS, "identity"]:
        images = pixels(2, 28, 1)
        shown.append(images)
        for split in ("train", "test"):
            own = images if split == "test" else pixels(3, 28, 1)
            files[f"mnist_c/{name}/{split}_images.npy"] = npy(own)
            files[f"mnist_c/{name}/{split}_labels.npy"] = npy(labels)
    expected = (np.concatenate(shown[:-1]), np.tile(labels, len(CORRUPTIONS)))
    empty = (np.zeros((0, 28, 28, 1), np.uint8), NONE[1])
    return [zipped(folder / "mnist_c.zip", files)], {"train": empty, "test": expected}


def make_fmnist_c(folder):
    images, labels = pixels(4, 28, 1), np.array([9, 2, 1, 1])
    (folder / "fmnist-c-test.npy").write_bytes(npy(images[..., 0]))
    (folder / "fmnist-c-test-labels.npy").write_bytes(npy(labels))
    files = [folder / "fmnist-c-test.npy", folder / "fmnist-c-test-labels.npy"]
    empty = (np.zeros((0, 28, 28, 1), np.uint8), NONE[1])
    return files, {"train": empty, "test": (images, labels)}


def make_blocks(kind, classes):
    """FITYMI's released arrays: two images of each class, one class after the other."""

    def make(folder):
        file = folder / next(iter(plugins.constant("datasets", kind, "ARCHIVES")))
        images = pixels(2 * classes)
        file.write_bytes(npy(images))
        return [file], {"train": NONE, "test": (images, np.repeat(np.arange(classes), 2))}

    return make


def make_pictures(kind, place):
    """ODIN's external sets: single pictures in a folder."""

    def make(folder):
        name = next(iter(plugins.constant("datasets", kind, "ARCHIVES")))
        contents = [picture(image) for image in pixels(3)]
        files = {f"{place}{i}.jpg": content for i, content in enumerate(contents)}
        truth = np.stack([decoded(content) for content in contents])
        return [tar(folder / name, files)], {"train": NONE, "test": (truth, np.zeros(3, int))}

    return make


MAKERS = {
    "cifar10": make_cifar10,
    "cifar100": make_cifar100,
    "mnist": make_mnist,
    "fashion_mnist": make_mnist,  # the same layout and the same file names
    "emnist_letters": make_emnist,
    "svhn": make_svhn,
    "tiny_imagenet": make_tiny_imagenet,
    "random_images": make_random_images,
    "cifar10_c": make_cifar_c,
    "cifar100_c": make_cifar100_c,
    "mnist_c": make_mnist_c,
    "fmnist_c": make_fmnist_c,
    "cifar10_fsde": make_blocks("cifar10_fsde", 10),
    "tin_crop": make_pictures("tin_crop", "Imagenet/test/"),
    "tin_resize": make_pictures("tin_resize", "Imagenet_resize/Imagenet_resize/"),
    "lsun_crop": make_pictures("lsun_crop", "LSUN/test/"),
    "lsun_resize": make_pictures("lsun_resize", "LSUN_resize/LSUN_resize/"),
    "isun": make_pictures("isun", "iSUN/iSUN_patches/"),
}
kinds = pytest.mark.parametrize("kind", MAKERS)


def archives(files) -> dict[str, Path]:
    return {file.name: file for file in files}


@kinds
def test_what_is_read_is_what_is_in_the_archive(kind, tmp_path):
    files, truth = MAKERS[kind](tmp_path)
    splits, classes = build(kind).read(archives(files))
    assert list(splits) == ["train", "test"]
    assert len(set(classes)) == len(classes)
    entry = {"datasets": {"it": {"kind": kind}}}
    assert classes == settings.classes(entry, "it")  # known before anything is fetched
    known = plugins.constant("datasets", kind, "SPLITS", ["train", "test"])
    for split, (images, labels) in truth.items():
        assert splits[split].pixels.dtype == np.uint8
        assert np.array_equal(splits[split].pixels, images)
        assert splits[split].labels.tolist() == labels.tolist()
        assert splits[split].labels.dtype == np.int64
        assert bool(len(images)) == (split in known)
    ids = [*splits["train"].ids, *splits["test"].ids]
    assert len(set(ids)) == len(ids)
    for split, images in splits.items():  # it survives the files between stages, empty or not
        tables.save_images(tmp_path / "stored", split, images, classes)
        again = tables.load_images(tmp_path / "stored" / f"{split}.npy")
        assert np.array_equal(again.pixels, images.pixels)
        assert again.ids.tolist() == images.ids.tolist()
        assert again.names.tolist() == [classes[label] for label in images.labels]


@kinds
def test_a_truncated_archive_is_refused_by_name(kind, tmp_path):
    files, _ = MAKERS[kind](tmp_path)
    for file in files:
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) * 6 // 10])
        with pytest.raises(ValueError, match=re.escape(str(file))):
            build(kind).read(archives(files))
        file.write_bytes(whole)
    build(kind).read(archives(files))


@kinds
def test_another_file_under_the_same_name_is_refused(kind, tmp_path):
    files, _ = MAKERS[kind](tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = tar(elsewhere / "x.tar.gz", {"readme.txt": b"hello"}).read_bytes()
    packed = zipped(elsewhere / "x.zip", {"readme.txt": b"hello"}).read_bytes()
    for content in (other, packed, npy(np.zeros((2, 3))), b"<html>404</html>", b""):
        for file in files:
            whole = file.read_bytes()
            file.write_bytes(content)
            with pytest.raises(ValueError, match=re.escape(str(file))):
                build(kind).read(archives(files))
            file.write_bytes(whole)


@kinds
def test_sources_are_links_with_checksums_of_the_right_form_and_a_licence(kind):
    for source in sources.stated(kind):
        assert source["urls"]
        assert all(re.fullmatch(r"https?://[^ ]+", url) for url in source["urls"])
        sums = [source.get("sha256"), source.get("md5")]
        assert [len(text) for text in sums if text] in ([64], [32], [])
        assert source["bytes"] > 0
    assert plugins.constant("datasets", kind, "LICENCE")
    entries = catalog.read_catalog(ROOT / "config" / "catalog")["datasets"]
    assert kind in {entry["kind"] for entry in entries.values() if "kind" in entry}


# ---- hostile archives ----


def test_an_image_larger_than_the_dataset_allows_is_refused_unread(tmp_path):
    """A decompression bomb: 41 MB of zeros in 40 kB."""
    bomb = tar(
        tmp_path / "cifar-10-binary.tar.gz",
        {"cifar-10-batches-bin/data_batch_1.bin": bytes(41_000_000)},
    )
    assert bomb.stat().st_size < 100_000
    with pytest.raises(ValueError, match="41000000 bytes.*another archive") as error:
        build("cifar10").read(archives([bomb]))
    assert str(bomb) in str(error.value)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        _members.gunzipped(gzip.compress(bytes(10**6)), "x.gz", 1000)


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harmed",))


@pytest.mark.parametrize("kind", ["random_images", "cifar10_fsde", "cifar10_c"])
def test_a_pickle_is_never_loaded(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = npy(np.array([Harmful()], dtype=object))
    name = next(iter(plugins.constant("datasets", kind, "ARCHIVES")))
    if kind == "cifar10_c":
        tar(tmp_path / name, {"CIFAR-10-C/labels.npy": content}, "w")
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(name)):
        build(kind).read({name: tmp_path / name})
    assert not (tmp_path / "harmed").exists()


# ---- CIFAR-100's groups ----


def test_coarse_classes_are_those_of_the_archive():
    """The numbers that stand beside the fine labels 0 to 99 in CIFAR-100's own files."""
    assert _cifar100_classes.coarse_of_fine() == [
        *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11),
        *(6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5),
        *(5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17),
        *(10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13),
        *(16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
    ]


def test_fine_classes_have_the_numbers_that_fitymi_publishes():
    """The closest classes of CIFAR-10vs100, with their fine index (FITYMI's Table 5)."""
    published = {
        **{"rocket": 69, "pickup_truck": 58, "shrew": 74, "leopard": 42, "cattle": 19},
        **{"rabbit": 65, "lizard": 44, "bridge": 12, "bus": 13},
    }
    names = _cifar100_classes.names("fine")
    assert len(set(names)) == 100
    assert {name: names.index(name) for name in published} == published


def test_cifar100_fine_labels_are_the_second_byte(tmp_path):
    files, truth = make_cifar100(tmp_path, column=1)
    splits, classes = build("cifar100", labels="fine").read(archives(files))
    for split, (_, labels) in truth.items():
        assert splits[split].labels.tolist() == labels.tolist()
    assert [classes[label] for label in splits["test"].labels] == ["worm", "rocket"]
    with pytest.raises(ValueError, match="coarse or fine"):
        build("cifar100", labels="super").read({})


def test_a_hand_made_grouping_is_refused(tmp_path):
    """As the list that was spread with the code of CSI: other fine classes in a group."""
    row = planes([[0, 0]], pixels(1))  # an apple among the aquatic mammals
    files = {f"cifar-100-binary/{split}.bin": row for split in ("train", "test")}
    with pytest.raises(ValueError, match="as no CIFAR-100 does"):
        build("cifar100").read(archives([tar(tmp_path / "cifar-100-binary.tar.gz", files)]))


# ---- sizes and colours ----


@pytest.mark.parametrize("kind", ["mnist", "fashion_mnist", "emnist_letters", "fmnist_c"])
def test_grey_sets_can_stand_beside_colour_ones(kind, tmp_path):
    files, truth = MAKERS[kind](tmp_path)
    images = build(kind, size=32, mode="RGB").read(archives(files))[0]["test"].pixels
    assert images.shape[1:] == (32, 32, 3)
    assert np.array_equal(images[..., 0], images[..., 1])
    assert np.array_equal(images[..., 0], images[..., 2])
    assert images.mean() == pytest.approx(truth["test"][0].mean(), abs=3)
    with pytest.raises(ValueError, match="RGB or L"):
        plugins.check_entry("datasets", "", {"kind": kind, "mode": "CMYK"})


@pytest.mark.parametrize("kind", ["cifar10", "cifar100", "svhn", "tiny_imagenet"])
def test_size_is_the_side_of_all_images(kind, tmp_path):
    files, truth = MAKERS[kind](tmp_path)
    splits, _ = build(kind, size=16).read(archives(files))
    for split, images in splits.items():
        assert images.pixels.shape == (len(truth[split][0]), 16, 16, 3)
        assert images.pixels.mean() == pytest.approx(truth[split][0].mean(), abs=2)


def test_letters_stand_upright_and_are_in_the_alphabet(tmp_path):
    """An L: its long stroke stands on the left, the short one lies at the bottom."""
    letter = np.zeros((28, 28), np.uint8)
    letter[4:24, 8:11] = letter[21:24, 8:18] = 255

    def read(label):
        name, files = "gzip/emnist-letters-{}-{}-ubyte.gz", {}
        for split in ("train", "test"):
            files[name.format(split, "images-idx3")] = idx(letter.T[None])
            files[name.format(split, "labels-idx1")] = idx(np.array([label]))
        return build("emnist_letters").read(archives([zipped(tmp_path / "gzip.zip", files)]))

    splits, classes = read(12)
    assert np.array_equal(splits["test"].pixels[0, ..., 0], letter)
    assert classes[splits["test"].labels[0]] == "l"
    for bad in (0, 27):
        with pytest.raises(ValueError, match="labels"):
            read(bad)


def test_images_and_labels_of_two_sets_are_not_mixed(tmp_path):
    files, _ = make_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(3)))
    with pytest.raises(ValueError, match="t10k-images.* has 4 images .* labels"):
        build("mnist").read(archives(files))


# ---- corrupted sets, as published ----


def test_cifar_c_takes_the_severity_that_it_is_asked_for(tmp_path):
    """Not the first rows of the file, and the bytes as they are."""
    files, _ = make_cifar_c(tmp_path)
    every = build("cifar10_c").read(archives(files))[0]["test"]
    assert len(every) == 19 * 5 * 3
    assert sum(name.startswith("snow/5/") for name in every.ids) == 3  # a slice is a prefix
    chosen = build("cifar10_c", corruptions=["fog", "snow"], severities=[4, 2])
    test = chosen.read(archives(files))[0]["test"]
    clean = [f"test/{i:05d}" for i in range(3)]
    assert test.ids.tolist() == [
        f"{c}/{s}/{i}" for c in ("fog", "snow") for s in (4, 2) for i in clean
    ]
    by_id = dict(zip(every.ids, every.pixels, strict=True))
    for name, image in zip(test.ids, test.pixels, strict=True):
        assert np.array_equal(image, by_id[name])
    with tarfile.open(files[0]) as content:
        fog = np.load(io.BytesIO(content.extractfile("CIFAR-10-C/fog.npy").read()))
    assert np.array_equal(test.pixels[:3], fog[9:12])  # severity 4 of three images


def test_cifar_c_labels_must_repeat_for_every_severity(tmp_path):
    files, _ = make_cifar_c(tmp_path)
    content = dict(_members.members(files[0], ".*", 10**6))
    content["CIFAR-10-C/labels.npy"] = npy(np.arange(15).astype(np.uint8) % 10)
    tar(files[0], content, "w")
    with pytest.raises(ValueError, match="labels.npy is not five times"):
        build("cifar10_c").read(archives(files))


@pytest.mark.parametrize("kind", ["cifar10_c", "cifar100_c", "mnist_c", "corrupted"])
def test_a_corruption_that_does_not_exist_is_named_with_those_that_do(kind):
    with pytest.raises(ValueError, match="frogs.*brightness"):
        build(kind, corruptions=["frogs"]).read({})
    if kind != "mnist_c":
        with pytest.raises(ValueError, match="severities.*6"):
            build(kind, severities=[1, 6]).read({})


def test_mnist_c_has_its_fifteen_corruptions_without_the_clean_images(tmp_path):
    files, _ = make_mnist_c(tmp_path)
    test = build("mnist_c").read(archives(files))[0]["test"]
    names = {name.split("/")[0] for name in test.ids}
    assert len(names) == 15
    assert not names & {"identity", "gaussian_noise"}
    one = build("mnist_c", corruptions=["zigzag"]).read(archives(files))[0]["test"]
    assert one.ids.tolist() == ["zigzag/1/test/00000", "zigzag/1/test/00001"]


# ---- what a config may ask of them ----


def whole(**changes):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return catalog.whole(ROOT / "config/catalog", config, changes)


def experiment(**arguments):
    return {"run": ["it"], "experiments": {"it": {"methods": ["pixels"], **arguments}}}


def test_a_test_set_cannot_be_trained_on_and_is_told_where_it_belongs():
    config = whole(**experiment(dataset="cifar10_c", normals=["cat"]))
    with pytest.raises(ValueError, match="cifar10_c has no train images.*cifar10_c.test"):
        check(config)
    check(whole(**experiment(dataset="cifar10", normals=["cat"], tests=["test", "cifar10_c.test"])))
    config = whole(fakes={"outliers": {"kind": "exposure", "dataset": "mnist_c"}})
    with pytest.raises(ValueError, match="fakes: outliers: dataset: mnist_c has no train"):
        check(config)


def test_an_exposure_set_cannot_be_tested_on():
    tests = ["random_images.test"]
    config = whole(**experiment(dataset="cifar10", normals=["cat"], tests=tests))
    with pytest.raises(ValueError, match="random_images has no test images.*exposure"):
        check(config)


def test_a_corrupted_copy_has_the_classes_of_the_original_and_says_which_it_is():
    config = whole()
    assert settings.classes(config, "svhn_c") == settings.classes(config, "svhn")
    assert settings.classes(config, "cifar100_c") == settings.classes(config, "cifar100")
    for entry, reason in (({}, "needs of"), ({"of": "svhn_c"}, "itself a copy")):
        with pytest.raises(ValueError, match=reason):
            check(whole(datasets={"mine": {"kind": "corrupted", **entry}}))


def test_a_changed_copy_is_judged_by_its_own_normal_images_and_another_set_by_the_clean_ones():
    """Corruption lifts all scores: that alone must not look like detection."""
    clean = pd.DataFrame(
        {"class": list("aabb"), "is_anomaly": [False, False, True, True], "score": [0.0, 1, 2, 3]}
    )
    copy = clean.assign(score=[10.0, 13, 11, 12])
    other = pd.DataFrame({"class": ["c"], "is_anomaly": [True], "score": [0.5]})
    run = {"dataset": "it", "normal": "a", "method": "m", "seed": 0}
    runs = [run | {"images": images} for images in ("test", "it_c.test", "other.test")]
    table = evaluate(
        runs, [clean, copy, other], {"auroc": plugins.build("metrics", {"kind": "auroc"})}
    )
    values = table[table["anomaly"] == "rest"].set_index("test")["value"]
    assert values.to_dict() == {"test": 1.0, "it_c.test": 0.5, "other.test": 0.5}


# ---- the true files ----


@pytest.mark.parametrize(("kind", "classes"), [("cifar10", 10), ("cifar100", 20)])
def test_the_official_binary_files_are_accepted_whoever_packed_them(kind, classes, tmp_path):
    (archive,) = sources.stated(kind)
    name = archive["name"]
    if not (MIRROR / name).is_file():
        pytest.skip(f"no {name} in {MIRROR} (set NEARND_MIRROR)")
    target = tmp_path / name
    fetch.fetch(archive | {"urls": []}, target, [str(MIRROR)])
    splits, _ = build(kind).read({name: target})
    for split, n in (("train", 50_000), ("test", 10_000)):
        assert splits[split].pixels.shape == (n, 32, 32, 3)
        assert np.bincount(splits[split].labels).tolist() == [n // classes] * classes
    with tarfile.open(target) as source:
        files = {m.name: source.extractfile(m).read() for m in source if m.isreg()}
    changed = next(name for name in files if "test" in name and name.endswith(".bin"))
    for path, content in files.items():  # unpacked, as it comes
        (tmp_path / "folder" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / path).write_bytes(content)
    fetch.fetch(archive | {"urls": []}, tmp_path / "again" / name, [str(tmp_path / "folder")])
    again, _ = build(kind).read({name: tmp_path / "again" / name})
    assert np.array_equal(again["test"].pixels, splits["test"].pixels)
    content = bytearray(files[changed])
    content[5000] ^= 1
    (tmp_path / "folder" / changed).write_bytes(content)
    with pytest.raises(OSError, match="inside it has SHA-1"):
        fetch.fetch(archive | {"urls": []}, tmp_path / "third" / name, [str(tmp_path / "folder")])


def test_a_set_of_fakes_has_those_of_each_class_under_its_name(tmp_path):
    parts = {"cat": np.full((2, 8, 8, 3), 1, np.uint8), "dog": np.full((3, 8, 8, 3), 2, np.uint8)}
    files = {}
    for name, pixels in parts.items():
        files[name] = tmp_path / f"{name}.npy"
        np.save(files[name], pixels)
    splits, names = build("drawn").read(files)
    assert names == ["cat", "dog"]
    assert len(splits["train"]) == 0
    test = splits["test"]
    assert test.labels.tolist() == [0, 0, 1, 1, 1]
    assert (test.pixels[:, 0, 0, 0] == test.labels + 1).all()
    assert test.ids[[0, 4]].tolist() == ["cat/00000", "dog/00002"]
    np.save(files["dog"], parts["dog"][:, :4, :4])
    with pytest.raises(ValueError, match=r"dog.npy has images \(4, 4, 3\)"):
        build("drawn").read(files)


def test_a_set_of_fakes_is_drawn_before_it_is_scored():
    """Its generators and their watcher are part of the run, its images anomalies of their class."""
    config = whole(
        run=["it"],
        datasets={"imitated": {"kind": "drawn", "dataset": "digits",
                               "fakes": "digits_stylegan_ada"}},
        experiments={
            "it": {"dataset": "digits", "normals": ["3"], "methods": ["pixels"],
                   "tests": ["imitated.test"], "drawings": ["overview"]},
        },
    )  # fmt: skip
    check(config)
    run = Run(config)
    assert settings.classes(config, "imitated") == list("0123456789")
    assert run.fakes == ["digits_stylegan_ada"]
    assert run.generators == ["digits_stylegan_ada"]
    assert run.monitor("digits_stylegan_ada")["detector"] in run.detectors
    files = run.drawn("imitated")
    assert files["3"] == "results/fakes/digits/3/digits_stylegan_ada/seed0.npy"
    assert not run.has_normal("digits", "imitated.test")
    size = Counts(config).size("imitated")
    digits = Counts(config).size("digits")
    assert (size.train, size.test, size.side) == (0, 16 * digits.train, 8)
    for entry, reason in (
        ({"kind": "drawn", "dataset": "digits"}, "needs fakes"),
        ({"kind": "drawn", "fakes": "digits_near"}, "needs dataset"),
        ({"kind": "drawn", "dataset": "imitated", "fakes": "digits_near"}, "no train images"),
        ({"kind": "svhn", "fakes": "digits_near"}, "kind svhn takes no fakes"),
    ):
        wrong = config["datasets"] | {"mine": entry}
        with pytest.raises(ValueError, match=reason):
            check(config | {"datasets": wrong})
    late = config["fakes"]["digits_stylegan_ada"] | {"stop": {"step": 7}}
    with pytest.raises(ValueError, match="no snapshot"):
        check(config | {"fakes": config["fakes"] | {"digits_stylegan_ada": late}})
