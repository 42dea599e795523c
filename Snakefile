# nearnd: from raw image archives to the tables and figures of near-distribution novelty detection.
# The rules stand in the order of the data; config/ says what they work on.
import gc
import sys

from snakemake.utils import min_version

min_version("9.1")

# where this file lies, also if another Snakefile includes it or uses it as a module
BASE = str(workflow.current_basedir)
sys.path.insert(0, BASE)
from nearnd.plan import asked_once, interrupt, screen, warm

screen.take_over(workflow)
interrupt.take_over(workflow)
asked_once.take_over()
warm.take_over(workflow)
# a graph of jobs is objects that stay: a tenth of the planning
gc.set_threshold(100_000)


# beside the Snakefile, so that results can be made in any folder (--directory)
configfile: f"{BASE}/config/config.yaml"


include: "rules/common.smk"


# one GPU job at a time on this machine; a cluster counts its own (profiles/default)
resource_scopes:
    gpu="local",


wildcard_constraints:
    kind=NAME,
    dataset=NAME,
    other=NAME,
    normal=CLASS,
    split="train|test",
    images=rf"train|test|{NAME}\.test",
    archive=r"[^/]+",
    backbone=NAME,
    generator=NAME,
    fakes=NAME,
    detector=NAME,
    bank=NAME,
    closeness=NAME,
    method=NAME,
    sampler=NAME,
    experiment=NAME,
    drawing=NAME,
    seed=r"\d+",


include: "rules/datasets.smk"
include: "rules/backbones.smk"
include: "rules/generators.smk"
include: "rules/samplers.smk"
include: "rules/fakes.smk"
include: "rules/detectors.smk"
include: "rules/features.smk"
include: "rules/banks.smk"
include: "rules/scores.smk"
include: "rules/results.smk"
include: "rules/listing.smk"
include: "rules/estimate.smk"
include: "rules/papers.smk"
include: "rules/targets.smk"
include: "rules/housekeeping.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    prefetch,
    list_datasets,
    estimate,
    list_papers,
    papers_document,
    fetch,
    sizes,
    clean_checkpoints,


rule all:
    default_target: True
    input:
        lambda w: targets.whole(complete()),


rule prefetch:
    input:
        lambda w: targets.fetched(complete()),
