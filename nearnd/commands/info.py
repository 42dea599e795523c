"""What a model folder is: its method, images, date, and what its held-out images allow."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "what a model folder is"


def add(parser: ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help="the folder or ONNX file that fit or export made")


def run(options: Namespace) -> None:
    from nearnd.commands._new import model
    from nearnd.report.conformal import Decision, promise, steps

    facts = model(options.model)
    made, n = facts.get("made_from", {}), len(facts["held_out"])
    form = facts["images"]
    files = facts["files"] if "files" in facts else {options.model.name: facts["sha256"]}
    lines = {
        "method": f"{made.get('method')} ({facts['detector']['kind']}, {facts['score']['kind']})",
        "made from": ", ".join(
            f"{name} {made.get(name)}" for name in ("dataset", "normal", "seed")
        ),
        "made": f"{facts.get('date')} by nearnd {facts.get('nearnd')}, format {facts['version']}",
        "images": f"{facts.get('training_images')} normal ones to learn from, {n} held out",
        "pictures": f"{form['size']} x {form['size']} {form['mode']}, {form.get('fit', 'squash')}",
        "files": "; ".join(f"{name} {digest[:12]}" for name, digest in files.items()),
        "p-values": f"{steps(n)[0]:.3g} and up, {steps(n, 0.1)[0]:.3g} with --delta 0.1",
        "decision": promise(facts["held_out"], Decision()),
    }
    for name, words in lines.items():
        print(f"{name:10s} {words}")
