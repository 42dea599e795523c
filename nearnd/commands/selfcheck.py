"""What a model would find, where no anomaly is at hand: defects drawn on normal pictures."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from nearnd.commands._new import add_decision, decision, model, say

HELP = "what a model finds of defects that are drawn on normal pictures"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the folder or ONNX file that fit or export made")
    parser.add_argument(
        "images",
        type=Path,
        help="normal pictures: those of fit, of which the held-out ones are taken",
    )
    add_decision(parser)


def run(options: Namespace) -> None:
    import numpy as np
    import pandas as pd

    from nearnd.files.decode import decode
    from nearnd.files.image_folders import nothing, pictures
    from nearnd.report.conformal import anomalous, p_values
    from nearnd.report.drawn_defects import DEFECTS, drawn
    from nearnd.report.model_folder import named
    from nearnd.report.new_images import opened
    from nearnd.report.selfcheck import some

    facts, how = model(options.model), decision(options)
    if not options.images.is_dir():
        raise ValueError(f"{options.images} is no folder of images")
    files = sorted(pictures(options.images, True))
    if not files:
        raise ValueError(nothing(options.images))
    names = [file.relative_to(options.images).as_posix() for file in files]
    known = set(facts.get("held_out_names", []))
    held = [i for i, name in enumerate(names) if name in known]
    if not held:
        say("none of these was held out: if the model has learnt from them, this flatters it")
        held = list(range(len(files)))
    shown = np.array(held)[some(len(held))]
    pixels = decode([(names[i], files[i]) for i in shown], **facts["images"])
    scores = opened(options.model, facts).scores
    rows = []
    for name, images in {"as they are": pixels, **{n: drawn(n, pixels) for n in DEFECTS}}.items():
        with named(options.model):
            found = scores(images)[0]["score"]
        p = p_values(facts["held_out"], found, how.delta)
        called = int(anomalous(p, how).sum())
        rows.append((name, f"{called} of {len(p)}", f"{np.median(p):.3g}"))
    table = pd.DataFrame(rows, columns=["drawn on normal pictures", "anomalous", "median p-value"])
    print(table.to_markdown(index=False))
    print(
        "These are no real anomalies: they say whether something of that size and contrast (1 % of"
        " the side, 40 of 255 grey levels) is seen at all."
    )
