# The plan of the run, and how rules ask it. What it answers stands in nearnd/plan/.
import sys

from snakemake.logging import logger

from nearnd import config as settings
from nearnd import papers
from nearnd.plan import (
    archives,
    inputs,
    job_cost,
    job_graph,
    lineage,
    missing,
    resources,
    targets,
)
from nearnd.plan.start import narrow, start, unlimited

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
CLASS = r"[^/.][^/]*"

run = start(workflow, config)


def complete():
    """The run, when all files that have to be there are. Asked by input functions, not before:
    `snakemake estimate` has none, and names what is missing."""
    unlimited(workflow)
    if workflow.is_main_process and not run.complete:  # not again in every job
        try:
            narrow(run, workflow.dag_settings.targets)
            missing.stop_if_missing(run)
        except ValueError as error:  # a traceback would hide the sentence
            logger.error(f"{error}")
            sys.exit(1)
    return run


def papers_jobs():
    """The jobs behind each table and figure of the papers."""
    return job_graph.of_each(run, workflow.rules, papers.names(run.config, ""))


def inputs_of(rule):
    """The input function of a rule."""
    return lambda wildcards: inputs.RULES[rule](complete(), wildcards)


def threads(wildcards):
    return resources.threads(run, wildcards.dataset)


def backbone_threads(wildcards):
    return resources.backbone_threads(run, wildcards.backbone)


def memory(wildcards, attempt):
    return resources.memory(run, wildcards.dataset, attempt)


def less_memory(wildcards, attempt):
    return memory(wildcards, attempt) // 2


def runtime(wildcards):
    return resources.runtime(run, wildcards.dataset)


def compared(wildcards):
    """The dataset of an experiment, and the generator on which it compares samplers."""
    spec = run.config["experiments"][wildcards.experiment]
    return spec["dataset"], spec["samplers"]


def drawing(wildcards):
    """What a table or a figure is drawn from."""
    return targets.drawing(complete(), wildcards.experiment, wildcards.drawing)
