# What each table and figure of the papers needs, can have, and has: `snakemake list_papers`. The
# tables themselves are of the rules table and figure, their names of targets.smk.
rule list_papers:
    log:
        "results/logs/list_papers.log",
    conda:
        "../envs/torch.yaml"
    params:
        jobs=lambda w: papers_jobs(),
        config=run.config,
    script:
        "../workflow/scripts/list_papers.py"


# docs/PAPERS.md: what of that is the same on every machine
rule papers_document:
    output:
        "results/papers.md",
    log:
        "results/logs/papers_document.log",
    conda:
        "../envs/torch.yaml"
    params:
        jobs=lambda w: papers_jobs(),
        config=run.config,
    script:
        "../workflow/scripts/papers_document.py"
