"""One image: its p-value, where the method sees something, the nearest normal images."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "one image: where it differs, and which normal images are near"
OUT = "explanation.png"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the folder or ONNX file that fit or export made")
    parser.add_argument("image", type=Path, help="an image")
    parser.add_argument("--out", type=Path, default=Path(OUT), help=f"a PNG ({OUT})")


def run(options: Namespace) -> int:
    from nearnd.commands._new import model
    from nearnd.files.out import place
    from nearnd.report import models
    from nearnd.report.conformal import Decision, steps
    from nearnd.report.explanation import draw
    from nearnd.report.new_images import opened, score_images

    facts = model(options.model)
    if options.out.suffix.lower() != ".png":
        raise ValueError(f"--out is {options.out}; it may be the name of a PNG, such as {OUT}")
    beside = [at for at in options.image.parent.iterdir() if at.name != OUT]  # the user's pictures
    out = place(options.out, [options.image, *beside, *models.files(options.model)], what="PNG")
    sources = [(options.image.name, options.image)]
    table, looks = score_images(opened(options.model, facts), sources, Decision(), look=True)
    row = table.iloc[0]
    if row["remark"]:
        raise ValueError(f"{options.image}: {row['remark']}")
    n, p = len(facts["held_out"]), row["p_value"]
    higher = round(p * (n + 1)) - 1
    words = [
        f"score {row['score']:.6g}: {higher} of {n} held-out normal images score as high or higher"
    ]
    words.append(
        f"p = {p:.3g}: anomalous from {1000 * p:.3g} false alarms in 1,000 on"
        + (" (the least that so many held-out images allow)" if p <= steps(n)[0] else "")
    )
    near = [] if looks.near is None else [facts["normals"][i] for i in looks.near[0]]
    if near:
        words.append(f"nearest normal images: {', '.join(near)}")
    draw(out, options.image, row, looks, near, facts)
    print("\n".join(words))
    print(out)
    return 0
