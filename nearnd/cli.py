"""The command `nearnd`: anybody's folder of images, and results in the terminal.

nearnd check pictures                     what is read of a folder, and what is odd in it
nearnd fit pictures model                 a method from a folder of normal images, by the workflow
nearnd select pictures model              the best method for it, by drawn defects
nearnd selfcheck model pictures           what it finds of defects drawn on normal pictures
nearnd score model new --out scores.csv   new images with it: p-values, and which are anomalous
nearnd explain model image                one image: where, and which normal ones are near
nearnd info model                         what a model folder is
nearnd show                               the summary table of a run
nearnd export own normal colour model     a trained method of a run into a model folder
nearnd export model --onnx part.onnx      a model folder into one ONNX file, in its place everywhere

It ends with 0; with 1 if nothing came of it; with 3 if all was done but for images that cannot be
scored, whose rows say why.
"""

import argparse
import os
import sys

from nearnd import __version__
from nearnd.commands import check, explain, export, fit, info, score, select, selfcheck, show
from nearnd.commands._new import say

COMMANDS = {
    "check": check, "fit": fit, "select": select, "selfcheck": selfcheck, "score": score,
    "explain": explain, "info": info, "show": show, "export": export,
}  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(prog="nearnd", description=__doc__, formatter_class=raw)
    whole.add_argument("--version", action="version", version=f"nearnd {__version__}")
    commands = whole.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add(one)
        one.set_defaults(run=command.run)
    return whole


def main(argv: list[str] | None = None) -> int:
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show stops nothing
        stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(argv)
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code or 0
    except BrokenPipeError:  # nobody reads on, as in `nearnd show | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ArithmeticError, ImportError) as error:
        say(f"{error}")
    except MemoryError as error:
        say(f"there is not enough memory. {error}")
    except KeyboardInterrupt:
        say("stopped, before anything was written")
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
