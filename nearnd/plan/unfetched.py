"""Files that entries need and a run has to fetch first, such as weights of networks: which ones are
not here, and where they can come from."""

from pathlib import Path

from nearnd import plugins
from nearnd.files.fetch import offline
from nearnd.plan.archives import ARCHIVES, in_mirror
from nearnd.plan.dataset_sizes import options
from nearnd.plan.run import Run

WEB = ("http://", "https://")
Choices = list[tuple[list[str], str]]  # any will do: (the names that it may have, where it is)


def sentences(run: Run) -> list[str]:
    """One for each of them; where jobs are to be `offline()`, of what they will not find."""
    found, mirrors = [], run.config["mirrors"]
    asked = [mirror for mirror in mirrors if not (offline() and mirror.startswith(WEB))]
    for section, name in run.named:
        for folder, choices in _wanted(run, section, name):
            names = [file for files, _ in choices for file in files]
            if any((folder / file).is_file() or in_mirror(file, asked) for file in names):
                continue
            files = " or ".join(
                f"{names[0]} ({source.removesuffix('/' + names[0])})" for names, source in choices
            )
            what = f"{section}: {name}: {files} is not here"
            found.append(
                f"{what}, and NEARND_OFFLINE is set: fetch it before (`snakemake prefetch`), or put"
                f" it into {folder.absolute()} or a folder that `mirrors:` names (now {mirrors})"
                if offline()
                else f"{what} yet: it will be fetched"
            )
    return found


def _wanted(run: Run, section: str, name: str) -> list[tuple[Path, Choices]]:
    """(the folder where it belongs, what it may be) for each file, unless it was used already."""
    if section == "backbones" and Path(run.backbone(name, 0)).is_file():
        return []
    found = [
        (Path(place).parent, [([Path(place).name], " ".join(archive["urls"]) or "a mirror")])
        for place, archive in run.outside(section, name).values()
        if archive
    ]
    entry = options(run.config, section, name) | run.entry(section, name)
    own = plugins.call(section, entry, "fetches")
    return found + ([(ARCHIVES / section / name, own)] if own else [])
