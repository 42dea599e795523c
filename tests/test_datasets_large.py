"""The sets of large images, read from miniature archives in each set's own layout. Every image is
of one colour that says which it is, so that a label or a split that moved is seen."""

import csv
import io
import itertools
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from nearnd import config as settings
from nearnd import plugins
from nearnd.datasets import (
    cub200,
    dtd,
    elpv,
    fgvc_aircraft,
    image_folder,
    imagenet30,
    isic2018,
    mvtec,
    stanford_cars,
    weather,
)
from nearnd.datasets._archive import Archive
from nearnd.plan import archives

# ---- miniature archives ----


def image(label: int, kind: str = "JPEG", grey: bool = False, size=(40, 30)) -> bytes:
    """Of one colour, which says what `label` it has: read back by `labels_in`."""
    colour = (label % 20 * 12, label // 20 * 20, 200)
    picture = Image.new("RGB", size, colour)
    out = io.BytesIO()
    (picture.convert("L") if grey else picture).save(out, kind, **({"quality": 100}))
    return out.getvalue()


def labels_in(pixels: np.ndarray) -> np.ndarray:
    """The labels that the colours of pixels (N, H, W, 3) say."""
    tens = np.rint(pixels.reshape(len(pixels), -1, 3).mean(1) / (12, 20, 1)).astype(int)  # (N, 3)
    return tens[:, 0] + 20 * tens[:, 1]


def mat(**variables) -> bytes:
    out = io.BytesIO()
    savemat(out, variables)
    return out.getvalue()


def pack(path: Path, files: dict[str, bytes]) -> None:
    """The files as a tar, tar.gz, tar.xz, zip or wheel, by the ending; else as it is."""
    if path.suffix in (".zip", ".whl"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for name, content in files.items():
                out.writestr(name, content)
    elif path.suffix == ".mat":
        path.write_bytes(files[path.name])
    else:
        mode = {".tgz": "w:gz", ".gz": "w:gz", ".xz": "w:xz", ".tar": "w"}[path.suffix]
        with tarfile.open(path, mode) as out:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                out.addfile(member, io.BytesIO(content))


def flowers() -> dict:
    """Three images of each class: the first trains, the second validates, the third tests."""
    labels = np.repeat(np.arange(1, 103), 3).astype(np.uint8)
    numbers = np.arange(1, 307, dtype=np.uint16)
    jpg = {f"jpg/image_{n:05d}.jpg": image(labels[n - 1] - 1) for n in numbers}
    parts = {"trnid": numbers[::3], "valid": numbers[1::3], "tstid": numbers[2::3]}
    return {
        "102flowers.tgz": jpg,
        "imagelabels.mat": {"imagelabels.mat": mat(labels=labels)},
        "setid.mat": {"setid.mat": mat(**parts)},
    }


def birds() -> dict:
    """Two training images of each class, one to test; number and label are two things."""
    rows = [(k, f"{k + 1:03d}.{name}/{name}_{j:04d}_{k}.jpg", j < 2)
            for j in range(3) for k, name in enumerate(cub200.CLASSES)]  # fmt: skip
    tables = {
        "classes": [f"{k + 1} {k + 1:03d}.{name}" for k, name in enumerate(cub200.CLASSES)],
        "images": [f"{i} {path}" for i, (_, path, _) in enumerate(rows, 1)],
        "image_class_labels": [f"{i} {k + 1}" for i, (k, _, _) in enumerate(rows, 1)],
        "train_test_split": [f"{i} {int(train)}" for i, (_, _, train) in enumerate(rows, 1)],
    }
    files = {f"CUB_200_2011/{name}.txt": "\n".join(lines).encode() + b"\n"
             for name, lines in tables.items()}  # fmt: skip
    files["CUB_200_2011/README"] = b"words"
    files |= {f"CUB_200_2011/images/{path}": image(k) for k, path, _ in rows}
    return {"CUB_200_2011.tgz": files}


def aircraft() -> dict:
    """All 100 variants; a banner of 20 red rows at the bottom of each image."""
    variants = [f"Variant {i}" for i in range(100)]
    for position, name in zip(fgvc_aircraft.VARIANTS, fgvc_aircraft.CLASSES, strict=True):
        variants[position] = name
    root, files, number = "fgvc-aircraft-2013b/data", {}, itertools.count(100)
    lists = {split: [] for split in ("train", "val", "trainval", "test")}
    for name, split, _ in itertools.product(variants, ("train", "val", "test"), range(2)):
        label = fgvc_aircraft.CLASSES.index(name) if name in fgvc_aircraft.CLASSES else 150
        with Image.open(io.BytesIO(image(label, size=(64, 68)))) as picture:
            picture.paste((255, 0, 0), (0, 48, 64, 68))
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=100, subsampling=0)
        n = f"{next(number):07d}"
        files[f"{root}/images/{n}.jpg"] = out.getvalue()
        for which in {split} | ({"trainval"} if split != "test" else set()):
            lists[which].append(f"{n} {name}")
    files[f"{root}/variants.txt"] = "\n".join(variants).encode()
    for split, lines in lists.items():
        files[f"{root}/images_variant_{split}.txt"] = "\n".join(lines).encode()
    return {"fgvc-aircraft-2013b.tar.gz": files}


def cars() -> dict:
    """One image of each class in each split, in another order than the classes."""
    order = np.random.default_rng(0).permutation(196)
    fields = [(name, object) for name in ("bbox_x1", "bbox_x2", "class", "fname")]
    rows = [(1, 2, np.uint8(k + 1), f"{i:05d}.jpg") for i, k in enumerate(order, 1)]
    annotations = mat(annotations=np.array([rows], dtype=fields))
    names = [name.replace("Ram C-V", "Ram C/V") for name in stanford_cars.CLASSES]
    pictures = {split: {f"cars_{split}/{i:05d}.jpg": image(k) for i, k in enumerate(order, 1)}
                for split in ("train", "test")}  # fmt: skip
    return {
        "cars_train.tgz": pictures["train"],
        "cars_test.tgz": pictures["test"],
        "car_devkit.tgz": {
            "devkit/README.txt": b"words",
            "devkit/cars_meta.mat": mat(class_names=np.array(names, dtype=object)),
            "devkit/cars_train_annos.mat": annotations,
        },
        "cars_test_annos_withlabels.mat": {"cars_test_annos_withlabels.mat": annotations},
    }


def skies() -> dict:
    files = {f"dataset2/{name}{i}.jpg": image(k)
             for k, name in enumerate(weather.CLASSES) for i in range(1, 11)}  # fmt: skip
    files["dataset2/rain3.jpg"] = image(1, "GIF")  # another format under the name of a JPEG
    files["__MACOSX/dataset2/._rain3.jpg"] = b"resource fork"
    return {"dataset2.zip": files}


def products() -> dict:
    """Two categories. A defect is marked in the left half of its image."""
    files = {"license.txt": b"words"}
    drawn = io.BytesIO()
    left = np.zeros((30, 40), np.uint8)
    left[:, :20] = 255
    Image.fromarray(left).save(drawn, "PNG")
    for category in ("bottle", "zipper"):
        names = mvtec.classes(category)
        for i in range(4):
            files[f"{category}/train/good/{i:03d}.png"] = image(0, "PNG")
        for k, name in enumerate(names):
            for i in range(2):
                files[f"{category}/test/{name}/{i:03d}.png"] = image(k, "PNG")
                if k:
                    at = f"{category}/ground_truth/{name}/{i:03d}_mask.png"
                    files[at] = drawn.getvalue()
    return {"mvtec_anomaly_detection.tar.xz": files}


def heads() -> dict:
    files = {f"head_ct/head_ct/{i:03d}.png": image(0 if i >= 100 else 1, "PNG", size=(20 + i, 30))
             for i in range(200)}  # fmt: skip
    rows = "".join(f"{i},{int(i < 100)}\n" for i in range(200))
    return {"head-ct-hemorrhage.zip": {"labels.csv": f"id, hemorrhage\n{rows}".encode(), **files}}


def lesions() -> dict:
    """Four training and two validation images of each diagnosis."""
    archives, number = {}, itertools.count(24306)
    for part, n in (("Training", 4), ("Validation", 2)):
        name, rows, files = f"ISIC2018_Task3_{part}", [["image", *isic2018.CLASSES]], {}
        for k in np.random.default_rng(n).permutation(np.repeat(np.arange(7), n)):
            title = f"ISIC_{next(number):07d}"
            files[f"{name}_Input/{title}.jpg"] = image(k)
            rows.append([title, *(f"{float(j == k)}" for j in range(7))])
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        archives[f"{name}_Input.zip"] = {f"{name}_Input/ATTRIBUTION.txt": b"words", **files}
        archives[f"{name}_GroundTruth.zip"] = {
            f"{name}_GroundTruth/{name}_GroundTruth.csv": text.getvalue().encode()
        }
    return archives


def thirty() -> dict:
    train, test = {}, {}
    for k, name in enumerate(imagenet30.CLASSES):
        for i in range(3):
            train[f"one_class_train/{name}/n{k:08d}_{i}.JPEG"] = image(k)
        test[f"./one_class_test/{name}/{name}/ILSVRC2012_val_{k:08d}.JPEG"] = image(k)
    return {"one_class_train.tar": train, "one_class_test.tar": test}


def textures() -> dict:
    """Four images of a class: two train, one validates, one tests, another one by partition."""
    files, lists = {}, {}
    for k, name in enumerate(dtd.CLASSES):
        paths = [f"{name}/{name}_{i:04d}.jpg" for i in range(4)]
        files |= {f"dtd/images/{path}": image(k) for path in paths}
        for partition in range(1, 11):
            turned = paths[partition % 4 :] + paths[: partition % 4]
            for split, part in (("train", turned[:2]), ("val", turned[2:3]), ("test", turned[3:])):
                lists.setdefault(f"dtd/labels/{split}{partition}.txt", []).extend(part)
    files |= {name: "\n".join(lines).encode() + b"\n" for name, lines in lists.items()}
    return {"dtd-r1.0.1.tar.gz": files}


def cells() -> dict:
    """Forty normal cells of either kind among defects, in the order of the modules."""
    files, rows = {}, []
    for i in range(240):
        kind, label = ("mono", "poly")[i // 120], (0, 1, 0, 2, 0, 3)[i % 6]
        name = f"images/cell{i + 1:04d}.png"
        files[f"elpv_dataset/data/{name}"] = image(label, "PNG")
        rows.append(f"{name}  {label / 3:.16f}  {kind}")
    files["elpv_dataset/data/labels.csv"] = "\n".join(rows).encode()
    return {next(iter(elpv.ARCHIVES)): {"elpv_dataset/__init__.py": b"", **files}}


MAKERS = {
    "flowers102": flowers, "cub200": birds, "fgvc_aircraft": aircraft, "stanford_cars": cars,
    "weather": skies, "mvtec": products, "head_ct": heads, "isic2018": lesions,
    "imagenet30": thirty, "dtd": textures, "elpv": cells,
}  # fmt: skip
VICTIMS = {  # a file that is read, and the archive that it is in
    "flowers102": ("102flowers.tgz", "jpg/image_00003.jpg"),
    "cub200": ("CUB_200_2011.tgz",
               "CUB_200_2011/images/001.Black_footed_Albatross/Black_footed_Albatross_0002_0.jpg"),
    "fgvc_aircraft": ("fgvc-aircraft-2013b.tar.gz", "fgvc-aircraft-2013b/data/images/0000214.jpg"),
    "stanford_cars": ("cars_test.tgz", "cars_test/00007.jpg"),
    "weather": ("dataset2.zip", "dataset2/shine4.jpg"),
    "mvtec": ("mvtec_anomaly_detection.tar.xz", "bottle/ground_truth/broken_small/001_mask.png"),
    "head_ct": ("head-ct-hemorrhage.zip", "head_ct/head_ct/050.png"),
    "isic2018": ("ISIC2018_Task3_Validation_Input.zip",
                 "ISIC2018_Task3_Validation_Input/ISIC_0024340.jpg"),
    "imagenet30": ("one_class_train.tar", "one_class_train/toaster/n00000028_1.JPEG"),
    "dtd": ("dtd-r1.0.1.tar.gz", "dtd/images/woven/woven_0001.jpg"),
    "elpv": (next(iter(elpv.ARCHIVES)), "elpv_dataset/data/images/cell0003.png"),
}  # fmt: skip
each = pytest.mark.parametrize("kind", MAKERS)


def read(kind: str, folder: Path, contents: dict, size: int = 16, **arguments):
    """What the plugin makes of these archives."""
    folder.mkdir(exist_ok=True)
    for name, files in contents.items():
        pack(folder / name, files)
    stated = set(plugins.constant("datasets", kind, "ARCHIVES"))
    assert stated == set(contents)
    dataset = plugins.build("datasets", {"kind": kind, "size": size, **arguments})
    return dataset.read({name: folder / name for name in contents})


# ---- what holds for all of them ----


@each
def test_labels_splits_and_ids(kind, tmp_path):
    splits, names = read(kind, tmp_path, MAKERS[kind]())
    entry = {"kind": kind}
    assert names == (plugins.constant("datasets", kind, "CLASSES")
                     or plugins.call("datasets", entry, "classes"))  # fmt: skip
    for images in splits.values():
        assert images.pixels.dtype == np.uint8
        assert images.pixels.shape == (len(images.labels), 16, 16, 3)
        assert len(set(images.ids)) == len(images.ids)
        assert np.array_equal(labels_in(images.pixels), images.labels)
    assert not set(splits["train"].ids) & set(splits["test"].ids)
    assert set(splits["test"].labels) == set(range(len(names)))
    normal = plugins.call("datasets", entry, "trained") or names
    assert {names[label] for label in splits["train"].labels} == set(normal)


@each
def test_planning_knows_the_classes_without_the_archives(kind):
    names = settings.classes({"datasets": {"x": {"kind": kind}}}, "x")  # also fit for paths
    assert len(set(names)) == len(names)


@each
def test_a_truncated_image_is_named_with_its_archive(kind, tmp_path):
    contents = MAKERS[kind]()
    archive, name = VICTIMS[kind]
    contents[archive][name] = contents[archive][name][:-25]
    with pytest.raises(ValueError, match="1 of") as error:
        read(kind, tmp_path, contents)
    assert f"{name} in {tmp_path / archive}" in str(error.value)


@each
def test_a_missing_image_is_noticed(kind, tmp_path, caplog):
    contents = MAKERS[kind]()
    archive, name = VICTIMS[kind]
    del contents[archive][name]
    if kind in ("weather", "imagenet30"):  # no list of what there should be
        read(kind, tmp_path, contents)
        assert "the published set has" in caplog.text
        return
    with pytest.raises(ValueError, match=r"has no|do not belong together") as error:
        read(kind, tmp_path, contents)
    assert archive in str(error.value)


@each
@pytest.mark.parametrize("how", ["another archive", "cut off", "not an archive"])
def test_an_archive_that_is_not_right_is_named(kind, how, tmp_path):
    contents = MAKERS[kind]()
    archive = VICTIMS[kind][0]
    if how == "another archive":
        contents[archive] = {"cats/0001.jpg": image(0), "readme.md": b"words"}
        with pytest.raises(ValueError, match=archive):
            read(kind, tmp_path, contents)
        return
    read(kind, tmp_path, contents)
    whole = (tmp_path / archive).read_bytes()
    (tmp_path / archive).write_bytes(whole[: len(whole) // 2] if how == "cut off" else b"x" * 999)
    dataset = plugins.build("datasets", {"kind": kind, "size": 16})
    with pytest.raises(ValueError, match="truncated or damaged") as error:
        dataset.read({name: tmp_path / name for name in contents})
    assert str(tmp_path / archive) in str(error.value)


# ---- what each of them is ----


def counts(images) -> list[int]:
    return np.bincount(images.labels).tolist()


def test_flowers_first_classes_train_all_are_scored(tmp_path):
    splits, names = read("flowers102", tmp_path, flowers())
    assert counts(splits["train"]) == [1] * 20
    assert counts(splits["test"]) == [1] * 102
    assert names[splits["train"].labels[4]] == "english marigold"
    assert splits["test"].ids[:2].tolist() == ["image_00003.jpg", "image_00006.jpg"]
    more, _ = read("flowers102", tmp_path, flowers(), first=102, val=True)
    assert counts(more["train"]) == [2] * 102
    assert np.array_equal(more["test"].ids, splits["test"].ids)


def test_birds_first_classes_train_all_are_scored(tmp_path):
    splits, names = read("cub200", tmp_path, birds(), first=3)
    assert counts(splits["train"]) == [2] * 3
    assert counts(splits["test"]) == [1] * 200
    assert names[16] == "Cardinal"
    assert splits["train"].ids[0].startswith("001.Black_footed_Albatross/")


@pytest.mark.parametrize("kind", ["flowers102", "cub200", "stanford_cars"])
def test_there_are_only_so_many_classes(kind):
    for first in (0, 500):
        with pytest.raises(ValueError, match=f"{kind}: first is {first}, it may be 1 to"):
            plugins.build("datasets", {"kind": kind, "first": first}).read({})


def test_aircraft_are_the_papers_ten_and_lose_their_banner(tmp_path):
    splits, names = read("fgvc_aircraft", tmp_path, aircraft(), size=48)
    for split in ("train", "test"):
        assert counts(splits[split]) == [2] * 10
        assert splits[split].pixels[..., 0].max() < 12 * 9 + 20  # no red
    assert names[:3] == ["PA-28", "Tornado", "DHC-6"]
    more, _ = read("fgvc_aircraft", tmp_path, aircraft(), val=True)
    assert counts(more["train"]) == [4] * 10


def test_aircraft_in_another_order_are_refused(tmp_path):
    contents = aircraft()
    table = contents["fgvc-aircraft-2013b.tar.gz"]
    lines = table["fgvc-aircraft-2013b/data/variants.txt"].split(b"\n")
    table["fgvc-aircraft-2013b/data/variants.txt"] = b"\n".join(lines[1:] + lines[:1])
    with pytest.raises(ValueError, match=r"variants\.txt in .*other variants"):
        read("fgvc_aircraft", tmp_path, contents)


def test_cars_labels_are_those_of_the_tables(tmp_path):
    splits, names = read("stanford_cars", tmp_path, cars(), first=196)
    assert counts(splits["train"]) == counts(splits["test"]) == [1] * 196
    assert "Ram C-V Cargo Van Minivan 2012" in names  # a / would be a folder
    assert splits["test"].ids[0] == "cars_test/00001.jpg"


def test_weather_is_cut_by_a_seed_class_by_class(tmp_path):
    splits, _ = read("weather", tmp_path, skies())
    assert counts(splits["train"]) == [8] * 4
    assert counts(splits["test"]) == [2] * 4
    assert set(splits["test"].ids) < {f"{c}{i}.jpg" for c in weather.CLASSES for i in range(1, 11)}
    again, _ = read("weather", tmp_path, skies())
    other, _ = read("weather", tmp_path, skies(), split_seed=1)
    assert again["test"].ids.tolist() == splits["test"].ids.tolist()
    assert other["test"].ids.tolist() != splits["test"].ids.tolist()
    twice = skies()
    twice["dataset2.zip"]["copy/rain3.jpg"] = image(1)
    with pytest.raises(ValueError, match=r"rain3\.jpg in two folders"):
        read("weather", tmp_path, twice)


def test_mvtec_is_one_category_with_masks_of_its_defects(tmp_path):
    for category in ("bottle", "zipper"):
        splits, names = read("mvtec", tmp_path, products(), category=category)
        assert names[0] == "good"
        assert counts(splits["train"]) == [4]
        assert counts(splits["test"]) == [2] * len(names)
        test = splits["test"]
        assert test.masks.shape == (len(test), 16, 16)
        defect = test.labels > 0
        assert not test.masks[~defect].any()
        assert test.masks[defect][:, :, :8].all()
        assert not test.masks[defect][:, :, 8:].any()
        assert splits["train"].masks is None
        assert test.ids[0].startswith("test/")
    with pytest.raises(ValueError, match=r"category 'vase'; there is bottle, cable"):
        plugins.build("datasets", {"kind": "mvtec", "category": "vase"})
    unknown = products()
    unknown["mvtec_anomaly_detection.tar.xz"]["bottle/test/melted/000.png"] = image(1, "PNG")
    with pytest.raises(ValueError, match="of the kind melted, bottle has good, broken_large"):
        read("mvtec", tmp_path, unknown)


def test_mvtec_has_its_fifteen_categories_and_73_kinds_of_defects():
    assert len(mvtec.CATEGORIES) == 15
    assert (
        sum(len(mvtec.classes(name)) - 1 for name in mvtec.CATEGORIES) == 73
    )  # Bergmann et al. 2021, section 3


def test_head_ct_split_is_the_published_one(tmp_path):
    splits, _ = read("head_ct", tmp_path, heads())
    assert counts(splits["train"]) == [75]
    assert counts(splits["test"]) == [25, 100]
    np.random.seed(1225)  # noqa: NPY002 as UNODE's code does it
    indices = np.random.permutation(100)  # noqa: NPY002
    assert set(splits["train"].ids) == {f"{i + 100:03d}.png" for i in indices[:75]}
    assert {f"{i:03d}.png" for i in range(100)} < set(splits["test"].ids)


def test_isic_moles_train_and_the_validation_set_is_scored(tmp_path):
    splits, names = read("isic2018", tmp_path, lesions())
    assert counts(splits["train"]) == [0, 4]
    assert names[1] == "NV"
    assert counts(splits["test"]) == [2] * 7
    contents = lesions()
    table = contents["ISIC2018_Task3_Validation_GroundTruth.zip"]
    for name, text in table.items():
        table[name] = text.replace(b"1.0", b"0.0")
    with pytest.raises(ValueError, match=r"GroundTruth\.csv in .*: no diagnosis in"):
        read("isic2018", tmp_path, contents)


def test_imagenet30_needs_every_class(tmp_path):
    splits, _ = read("imagenet30", tmp_path, thirty())
    assert counts(splits["train"]) == [3] * 30
    assert counts(splits["test"]) == [1] * 30
    assert splits["train"].ids[0] == "acorn/n00000000_0.JPEG"
    contents = thirty()
    for name in list(contents["one_class_test.tar"]):
        if "/nail/" in name:
            del contents["one_class_test.tar"][name]
    with pytest.raises(ValueError, match=r"one_class_test\.tar has no images of nail"):
        read("imagenet30", tmp_path, contents)


def test_cells_are_split_by_runs_of_neighbours(tmp_path):
    splits, _ = read("elpv", tmp_path, cells(), cells="poly")
    numbers = {split: [int(name[4:8]) for name in images.ids] for split, images in splits.items()}
    assert min(numbers["train"] + numbers["test"]) == 121
    assert counts(splits["train"]) == [48]
    assert counts(splits["test"]) == [12, 20, 20, 20]
    normal = splits["test"].labels == 0
    runs = np.array(numbers["test"])[normal].reshape(2, 6)  # two of ten, six neighbours in each
    assert (np.diff(runs, axis=1) == 2).all()
    other, _ = read("elpv", tmp_path, cells(), cells="poly", split_seed=1)
    assert other["test"].ids.tolist() != splits["test"].ids.tolist()


def test_dtd_partitions_cut_the_same_images_in_other_ways(tmp_path):
    found = {}
    for partition in (1, 2):
        splits, _ = read("dtd", tmp_path, textures(), partition=partition)
        assert counts(splits["train"]) == [2] * 47
        assert counts(splits["test"]) == [1] * 47
        found[partition] = set(splits["test"].ids)
    assert not found[1] & found[2]
    more, _ = read("dtd", tmp_path, textures(), val=True)
    assert counts(more["train"]) == [3] * 47
    with pytest.raises(ValueError, match="partition is 11; it may be a whole number from 1 to 10"):
        plugins.check_entry("datasets", "", {"kind": "dtd", "partition": 11})


# ---- an own folder with masks ----


@pytest.mark.parametrize("ending", ["_mask.png", ".bmp"])
def test_an_own_folder_may_have_masks(tmp_path, ending):
    (category := tmp_path / "bottle").mkdir()
    for name, content in products()["mvtec_anomaly_detection.tar.xz"].items():
        if name.startswith("bottle/"):
            file = tmp_path / name.replace("_mask.png", ending)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    splits, names = image_folder.build(str(category), size=16).read({})
    same, _ = read("mvtec", tmp_path / "archive", products())
    for name in names:
        own, published = (
            sets["test"].masks[sets["test"].labels == known.index(name)]
            for sets, known in ((splits, names), (same, mvtec.classes("bottle")))
        )
        assert np.array_equal(own, published)
        assert own.any() == (name != "good")
    assert splits["train"].masks is None

    (category / "ground_truth" / "broken_small" / f"001{ending}").unlink()
    with pytest.raises(ValueError, match=r"1 anomalous .*first is test/broken_small/001\.png"):
        image_folder.build(str(category), size=16).read({})
    (category / "ground_truth").rename(category / "other")
    assert image_folder.build(str(category), size=16).read({})[0]["test"].masks is None


# ---- archives ----


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for member, content in members:
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path


def test_links_and_paths_that_lead_elsewhere_are_not_followed(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    linked = []
    for kind, target in ((tarfile.SYMTYPE, "../secret.jpg"), (tarfile.LNKTYPE, "other.jpg")):
        member = tarfile.TarInfo(f"jpg/link{kind.decode()}.jpg")
        member.type, member.linkname = kind, target
        linked.append((member, b""))
    names = ("../up.jpg", "/abs.jpg", "jpg/../../up.jpg", "jpg/good.jpg")
    files = [(tarfile.TarInfo(name), b"content") for name in names]
    before = sorted(tmp_path.rglob("*"))
    path = tar_of(tmp_path / "a.tgz", *files, *linked)
    archive = Archive(path, r"jpg/\w+\.jpg")
    assert [member.name for _, member in archive.matching(".*")] == ["jpg/good.jpg"]
    with pytest.raises(ValueError, match=r"a\.tgz has no jpg/link2\.jpg"):
        archive["jpg/link2.jpg"]
    assert sorted(tmp_path.rglob("*")) == sorted([*before, path])


def test_an_archive_that_grows_beyond_bounds_is_refused(tmp_path):
    names = [f"jpg/{i}.jpg" for i in range(3)]
    zeros = bytes(100_000_000)  # 100 kB when packed
    path = tar_of(tmp_path / "a.tgz", *((tarfile.TarInfo(name), zeros) for name in names))
    with pytest.raises(ValueError, match=r"a\.tgz holds more than 100 times its own size"):
        Archive(path, r"jpg/\d\.jpg")
    one = tarfile.TarInfo("jpg/0.jpg")
    path = tmp_path / "b.tar"
    one.size = 10**12  # a header alone
    path.write_bytes(one.tobuf() + bytes(1024))
    with pytest.raises(ValueError, match=r"b\.tar: jpg/0\.jpg inside it has 10+ bytes"):
        Archive(path, r"jpg/\d\.jpg")


def test_files_of_an_archive_are_read_in_any_order_by_any_thread(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    contents = {f"{i}.txt": bytes([i]) * (1000 + i) for i in range(200)}
    for name in ("a.tar", "a.tgz", "a.tar.xz", "a.zip"):
        pack(tmp_path / name, contents)
        archive = Archive(tmp_path / name, r"\d+\.txt")
        order = np.random.default_rng(0).permutation(200)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda i: archive[f"{i}.txt"].read_bytes(), order))  # noqa: B023
        assert found == [contents[f"{i}.txt"] for i in order]


# ---- sets behind a form or a login ----

GATED = [kind for kind in MAKERS if plugins.constant("datasets", kind, "GATED")]


def test_these_sets_are_gated_and_no_others():
    assert GATED == ["stanford_cars", "weather", "mvtec", "head_ct", "imagenet30"]
    for kind in MAKERS:
        assert plugins.constant("datasets", kind, "LICENCE")
        direct = [archive["urls"] for archive in archives.stated(kind)]
        assert any(direct) == all(direct) == (kind not in GATED)


@pytest.mark.parametrize("kind", GATED)
def test_a_gated_set_that_is_nowhere_is_said_with_all_that_a_user_needs(kind, tmp_path):
    config = {"datasets": {"x": {"kind": kind}}, "mirrors": [str(tmp_path / "mirror")]}
    with pytest.raises(ValueError, match="datasets: x: there is no") as error:
        archives.check(config, ["x"], tmp_path / "archives")
    text = str(error.value)
    for archive in archives.stated(kind):
        assert archive["name"] in text
        assert (archive["sha256"] or "") in text
    assert "http" in text or "ai.stanford.edu" in text
    assert "Licence: " in text
    assert str(tmp_path / "archives" / kind) in text


@pytest.mark.parametrize("place", ["by hand", "used before", "mirror", "file mirror", "web mirror"])
def test_a_gated_set_that_is_somewhere_passes(place, tmp_path):
    mirrors = {"mirror": str(tmp_path / "m"), "file mirror": f"file://{tmp_path}/m",
               "web mirror": "https://example.org/data"}  # fmt: skip
    config = {"datasets": {"x": {"kind": "weather"}}, "mirrors": [mirrors.get(place, "elsewhere")]}
    for folder in ("m", "archives/weather"):
        (tmp_path / folder).mkdir(parents=True)
    files = {
        "by hand": "archives/weather/dataset2.zip",
        "mirror": "m/dataset2.zip",
        "used before": "archives/weather/dataset2.zip.json",
        "file mirror": "m/dataset2.zip",
    }
    if place in files:
        with pytest.raises(ValueError, match="datasets: x"):
            archives.check(config, ["x"], tmp_path / "archives")
        (tmp_path / files[place]).write_bytes(b"x")
    archives.check(config, ["x"], tmp_path / "archives")


def test_sets_that_can_be_downloaded_need_nothing(tmp_path):
    config = {"datasets": {"x": {"kind": "cub200"}, "y": {"kind": "digits"}}, "mirrors": []}
    archives.check(config, ["x", "y"], tmp_path)
    assert archives.advice("cub200") == ""
