"""Scores of new images, as a table, a csv file, a page, and maps on the pictures."""

import math
from argparse import ArgumentParser, Namespace
from pathlib import Path

from nearnd.commands._new import add_decision, decision, model, say
from nearnd.report.conformal import Decision

HELP = "score new images with an exported method"
SOME = 3  # exit code: scores of some images are missing
SHOWN = 20  # rows of a table in the terminal


def add(parser: ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the folder or ONNX file that fit or export made")
    parser.add_argument("images", type=Path, help="an image, or a folder with images in it")
    parser.add_argument("--out", type=Path, help="a csv file; without it the table is printed")
    parser.add_argument("--html", type=Path, help="a page with the images, in one file to send on")
    parser.add_argument(
        "--maps", type=Path, metavar="DIR",
        help="a folder for pictures, up to 1,200 pixels wide or high, with where the method sees"
        " the anomaly",
    )  # fmt: skip
    add_decision(parser)


def run(options: Namespace) -> int:
    from nearnd.files.image_folders import nothing, pictures, unread
    from nearnd.files.out import place, write
    from nearnd.report import models
    from nearnd.report.conformal import drift, promise
    from nearnd.report.new_images import opened, score_images

    facts, how = model(options.model), decision(options)
    images, folder = options.images, options.images.is_dir()
    if not folder and not images.exists():
        raise ValueError(f"there is no {images}")
    files = sorted(pictures(images, True)) if folder else [images]
    if not files:
        raise ValueError(nothing(images))
    if folder and (left := unread(images)):
        say(f"not read, as their names are not those of images: {left}")
    root = images if folder else images.parent
    sources = [(file.relative_to(root).as_posix(), file) for file in files]
    kept = [*files, *models.files(options.model)]
    out = place(options.out, kept) if options.out else None
    page_at = place(options.html, kept, "--html", "page") if options.html else None
    look = bool(options.html or options.maps)
    table, looks = score_images(opened(options.model, facts), sources, how, look)
    if out:
        write(out, table)
    else:
        highest = table.sort_values("score", ascending=False).astype(object).fillna("")
        print(highest.head(SHOWN).to_markdown(index=False))
        if len(table) > SHOWN:
            print(f"and {len(table) - SHOWN} more, that score less: --out scores.csv has all")
    bad = int(table["score"].isna().sum())
    flags = f"{table['anomalous'].sum()} of {len(table) - bad} images are anomalous"
    words = [flags, promise(facts["held_out"], how)]
    if warning := drift(facts["held_out"], table["score"].dropna().to_numpy()):
        words.append(warning)
    if bad:
        words.append(f"{bad} of {len(table)} images could not be scored; the list says why")
    if page_at:
        _write_page(page_at, table, looks, words, how, facts)
    drawn = options.maps and _draw(options.maps, files, table, looks, facts)
    places = [str(at) for at in (options.out, options.html, drawn) if at]
    print("; ".join([flags, *places]))
    print(words[1])
    for line in words[2:]:
        say(line.replace("the list says", "the column remark says"))
    return SOME if bad else 0


def _write_page(page_at: Path, table, looks, words: list[str], how: Decision, facts) -> None:
    from nearnd.files.arrays import replacing
    from nearnd.report.conformal import steps
    from nearnd.report.page import page

    made = facts.get("made_from", {})
    words = [*words, f"model: {made.get('method', '')} on {made.get('dataset', '')}"]
    alpha, least = how.alpha, float(steps(len(facts["held_out"]), how.delta)[0])
    if how.fdr is not None:  # what is called so has the p-values up to one of them
        alpha = 1000 * float(table["p_value"][table["anomalous"].fillna(False)].max())
        alpha = 0.0 if math.isnan(alpha) else alpha
    text = page(
        table, looks, words, alpha, least,
        facts.get("map_scale"), facts.get("map_share", 1.0), facts.get("normals"),
    )  # fmt: skip
    with replacing(page_at) as part:
        part.write_text(text, encoding="utf-8")


def _draw(folder: Path, files: list[Path], table, looks, facts) -> Path | None:
    """A PNG for each image that has a score; the folder, None if the method has no maps."""
    if looks.maps is None:
        say("this method has no maps: patchcore and patch_subspace have, for instance")
        return None
    from PIL import Image

    from nearnd.files.arrays import replacing
    from nearnd.report.heat import WIDEST, overlay, picture, scale_of

    scale = facts.get("map_scale") or scale_of(looks.maps)
    for i, (name, file) in enumerate(zip(table["id"], files, strict=True)):
        if table["score"].isna().iloc[i]:
            continue
        where = folder / f"{name}.png"
        drawn = overlay(
            picture(file, WIDEST), looks.maps[i], scale, facts.get("map_share", 1.0),
            facts["images"].get("fit", "squash"),
        )  # fmt: skip
        with replacing(where) as part:
            Image.fromarray(drawn).save(part, "PNG")
    return folder
