# What a run would take, from its graph of jobs: `snakemake estimate`. Nothing of the run is started,
# and files that are missing are named, not asked for.
rule estimate:
    log:
        "results/logs/estimate.log",
    conda:
        "../envs/torch.yaml"
    params:
        parts=lambda w: {
            name: job_graph.counted(run, workflow.rules, [name])
            for name in run.config["run"]
        },
        whole=lambda w: job_graph.counted(run, workflow.rules, run.config["run"]),
        missing=lambda w: missing.missing_files(run),
        config=run.config,
    script:
        "../workflow/scripts/estimate.py"
