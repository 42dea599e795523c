"""Files that a run needs and that are not here, found before any job starts."""

import logging

from nearnd import plugins
from nearnd.files.fetch import offline
from nearnd.plan import archives, unfetched
from nearnd.plan.dataset_sizes import Counts, options
from nearnd.plan.inputs import folders
from nearnd.plan.run import Run

log = logging.getLogger("snakemake.logging")  # snakemake's own, so that users see it


def stop_if_missing(run: Run) -> None:
    """ValueError that names all files which are missing; warnings where fakes are few. Once."""
    if run.complete:
        return
    if sentences := missing_files(run):
        raise ValueError("config: " + "\n".join(sentences))
    for sentence in (*few_fakes(run), *unseen(run), *unfetched.sentences(run)):
        log.warning(sentence)
    run.complete = True


def missing_files(run: Run) -> list[str]:
    """One sentence for each file that an entry of the run names, and each archive that cannot be
    fetched, which is not there: says which, and where to get it."""
    sentences = []
    for section, name in (*run.named, *(("datasets", name) for name in run.datasets)):
        try:
            run.outside(section, name)
            folders(run, section, name)
            if section == "fakes":
                ready_made(run, name)
        except ValueError as error:
            sentences.append(f"{section}: {name}: {error}")
    # entries of one kind are made of the same archives
    kinds = {run.config["datasets"][name]["kind"]: name for name in run.datasets}
    for name in kinds.values():
        try:
            archives.check(run.config, [name])
        except ValueError as error:
            sentences.append(str(error))
    return sentences or (unfetched.sentences(run) if offline() else [])


def ready_made(run: Run, fakes: str) -> dict[str, dict[str, int]]:
    """{dataset: {normal: how many images}} of fakes that are images already, as far as they are
    here. ValueError naming the class or the file that is missing or wrong."""
    spec, found = run.entry("fakes", fakes), {}
    for experiment in run.experiments:
        if fakes not in run.shown(experiment):
            continue
        dataset = run.config["experiments"][experiment]["dataset"]
        tasks = {normal: run.classes(dataset, normal) for normal in run.normals(experiment)}
        every = {c: any(t[c] for t in tasks.values()) for c in next(iter(tasks.values()))}
        # first of all of them together, so that everything that is missing is named at once
        for normal, classes in [("", every), *tasks.items()]:
            n = plugins.call("fakes", spec | {"classes": classes}, "number")
            if n is None:  # of a kind that is made here, or not fetched yet
                break
            if normal:
                found.setdefault(dataset, {})[normal] = n
    return found


def few_fakes(run: Run) -> list[str]:
    """One sentence for each set of fakes that has fewer images than its entry asks for."""
    images, sentences = Counts(run.config), []
    for name in run.fakes:
        ratio = run.config["fakes"][name].get("ratio", 1)
        for dataset, found in ready_made(run, name).items():
            if not images.size(dataset).known:
                continue
            asked = {n: round(ratio * images.normal(dataset, n)) for n in found}
            if few := [normal for normal in found if found[normal] < asked[normal]]:
                sentences.append(
                    f"fakes: {name}: {found[few[0]]} images for normal {few[0]} of {dataset},"
                    f" {len(few)} of {len(found)} tasks have fewer than asked for: about"
                    f" {asked[few[0]]} (ratio {ratio}). All will be used; add images or lower ratio"
                )
    return sentences


def unseen(run: Run) -> list[str]:
    """One sentence for each dataset that is stored at twice the size, or more, that a detector
    works with."""
    images, found = Counts(run.config), {}
    for experiment in run.experiments:
        spec = run.experiment(experiment)
        side = images.size(spec["dataset"]).side
        for method in spec["methods"]:
            name = run.config["methods"][method]["detector"]
            sees = seen(run.config, name)
            if sees and side >= 2 * sees:
                found.setdefault(spec["dataset"], {})[name] = sees
    return [
        f"datasets: {dataset}: images have {images.size(dataset).side} pixels a side, but "
        + ", ".join(f"{name} makes them {sees}" for name, sees in names.items())
        + " first: the rest costs time and changes little. Set a smaller `size`, or take another"
        " backbone"
        for dataset, names in found.items()
    ]


def seen(config: dict, detector: str) -> int | None:
    """The side in pixels to which a detector resizes images, if it does and the kinds say so."""
    spec = options(config, "detectors", detector)
    if spec.get("tile"):  # it sees all of them, in pieces
        return None
    backbone = config["detectors"][detector].get("backbone")
    if spec.get("resize") or backbone is None:
        return spec.get("resize")
    return plugins.call("backbones", options(config, "backbones", backbone), "sees")
