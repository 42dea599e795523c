"""A trained method of a run into a folder of its own (report/model_folder.py); and such a folder
into one ONNX file, which is scored with without PyTorch (report/onnx_model.py)."""

import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

HELP = "put a trained method into a folder of its own, or such a folder into an ONNX file"


def add(parser: ArgumentParser) -> None:
    parser.add_argument(
        "dataset", help="its name in the config, such as own; or, with --onnx, a model folder"
    )
    parser.add_argument("normal", nargs="?", help="the class that is normal, not-<class>, or all")
    parser.add_argument("method", nargs="?", help="its name in the config, such as colour")
    parser.add_argument("folder", nargs="?", type=Path, help="where to put it")
    parser.add_argument("--seed", type=int, default=0, help="of the run, if it has several (0)")
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], action="extend", metavar="FILE",
        help="those that snakemake was given",
    )  # fmt: skip
    parser.add_argument(
        "--config", nargs="+", default=[], action="extend", metavar="KEY=VALUE",
        help="what snakemake was given",
    )  # fmt: skip
    parser.add_argument(
        "--no-pictures", action="store_true",
        help="without small copies of the normal images, which a page shows beside new ones",
    )  # fmt: skip
    parser.add_argument(
        "--onnx", type=Path, metavar="FILE",
        help="an ONNX file for the model folder; it is checked against it before it is written",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER",
        help="with --onnx: the pictures of fit, whose held-out ones are scored anew by the file",
    )  # fmt: skip


def run(options: Namespace) -> None:
    model, named = options.folder, [options.normal, options.method, options.folder]
    if None not in named:
        _from_run(options)
    elif options.onnx and named == [None, None, None]:
        model = Path(options.dataset)
    else:
        raise ValueError(
            "export takes a dataset, a normal class, a method and a folder; or a model folder and"
            " --onnx FILE"
        )
    if options.onnx:
        from nearnd.plan.export_onnx import export_onnx

        print(export_onnx(model, options.onnx, options.images))
    told = shlex.quote(str(options.onnx or model))
    print(f"next: nearnd score {told} new_pictures --out scores.csv")


def _from_run(options: Namespace) -> None:
    from nearnd.plan import given
    from nearnd.plan.export import export

    command = ["snakemake", "--cores", "all"]
    command += ["--configfile", *map(str, options.configfile)] if options.configfile else []
    command += ["--config", *options.config] if options.config else []
    task = (options.dataset, options.normal, options.method, options.seed)
    print(
        export(
            given.run(options.configfile, options.config), *task, options.folder,
            command=shlex.join(command), pictures=not options.no_pictures,
        )
    )  # fmt: skip
