"""From snakemake's config to a run: laid over the catalog, checked, told to the jobs."""

import json
import logging
import os
import reprlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nearnd import catalog, papers, plugins, values
from nearnd.plan import targets
from nearnd.plan.run import Run

BASE = Path(__file__).parents[2]  # where the Snakefile lies
log = logging.getLogger("snakemake.logging")  # snakemake's own, so that users see it
# Threads that wait for each other let others work, or beside a busy process training has a quarter
# of its pace. Read when torch is loaded.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
TYPES = {"array": "a list", "object": "entries by name", "string": "a text", "null": "null",
         "integer": "a whole number", "number": "a number"}  # fmt: skip


def start(workflow, config: dict[str, Any]) -> Run:
    """The run of a config, or one sentence about what is wrong with it.

    Machine settings go to jobs through the environment: a change of them re-runs nothing.
    """
    try:
        whole = catalog.whole(BASE / "config" / "catalog", as_written(workflow, config))
        if workflow.is_main_process:  # not again in every job
            check_whole(whole, BASE)
    except (ValueError, OSError) as error:  # an exception would print where it was raised
        log.error(f"config: {error}")
        sys.exit(1)
    os.environ.update(NEARND_DEVICE=whole["device"], NEARND_MIRRORS=json.dumps(whole["mirrors"]))
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    return Run(whole)


def narrow(run: Run, asked: Iterable[str]) -> None:
    """Makes a run of what is asked for on the command line, so that nothing is planned, checked or
    missed that it does not need. ValueError with one sentence if that cannot work."""
    from nearnd.plan.check import check

    experiments = targets.asked_for(run, asked)
    if experiments != run.config["run"]:
        run.config["run"] = experiments
        try:
            check(run.config)
        except ValueError as error:
            raise ValueError(f"config: {error}") from None


def unlimited(workflow) -> None:
    """Lifts snakemake's limit of jobs per second on one machine, which needs none: each job
    that ends leaves a timer which makes the scheduler look again, after 300 jobs a third of a core.

    To be called when jobs are planned: before, snakemake does not know where it will run."""
    if workflow.executor_plugin and workflow.local_exec and workflow.scheduling_settings:
        workflow.scheduling_settings.max_jobs_per_timespan = None


def as_written(workflow, config: dict[str, Any]) -> dict[str, Any]:
    """The config, with `--config` read as a file would be: snakemake makes texts of all that is
    nested in it. The files are laid over each other once more, so that none of them is left."""
    given = workflow.config_settings
    if not given.config_args:
        return config
    own = [] if given.replace_workflow_config else [BASE / "config" / "config.yaml"]
    return layers([*own, *map(Path, given.configfiles)], given.config_args)


def layers(files: list[Path], arguments: list[str]) -> dict[str, Any]:
    """Config files laid over each other, and over them what `--config` says. ValueError naming what
    is no settings."""
    from snakemake.utils import update_config

    found: dict[str, Any] = {}
    for file in files:
        settings = catalog.load(file) or {}
        if not isinstance(settings, dict):
            raise ValueError(f"{file} holds {settings!r:.60}; it may hold settings: `run: [own]`")
        update_config(found, settings)
    update_config(found, catalog.from_arguments(arguments))
    return found


def check_whole(config: dict[str, Any], base: Path) -> None:
    """ValueError with one sentence if a config does not follow the schema or cannot work."""
    from nearnd.plan.check import check

    check_schema(config, base)
    if left := set(papers.names(config, "")) - config["experiments"].keys():
        raise ValueError(f"papers: {', '.join(sorted(left))}: cannot be made of these entries")
    check(config)


def check_schema(config: dict[str, Any], base: Path) -> None:
    """ValueError with one sentence if a config does not follow the schema."""
    from jsonschema.exceptions import best_match

    schema = catalog.load(base / "workflow" / "schemas" / "config.schema.yaml")
    if error := best_match(values.problems(config, schema)):
        where = ": ".join(map(str, error.absolute_path))
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            wrong = next(key for key in error.instance if key not in known)
            raise plugins.unknown("key", wrong, known, where or "the whole")
        words = "description"
        if error.validator == "required":  # of what lacks the key, whatever it is described as
            raise ValueError(f"{where}: {error.message}")
        told = next((one for one in (error, error.parent) if one and words in one.schema), error)
        if words not in told.schema and told.validator != "type":
            raise ValueError(f"{where}: {error.message}")
        kinds = told.schema["type"] if words not in told.schema else ()
        kinds = [kinds] if isinstance(kinds, str) else kinds
        may = told.schema.get(words) or " or ".join(TYPES.get(kind, kind) for kind in kinds)
        named = ["a name"] if "propertyNames" in told.absolute_schema_path else []
        where = ": ".join(map(str, [*told.absolute_path, *named]))
        raise ValueError(f"{where} is {reprlib.repr(told.instance)}; it may be {may}")
