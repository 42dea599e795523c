# What a run would take, from its graph of jobs: `snakemake estimate`. Nothing of the run is started,
# and files that are missing are named, not asked for.
rule estimate:
    log:
        "results/logs/estimate.log",
    conda:
        "../envs/torch.yaml"
    params:
        parts=lambda w: {name: counted([name]) for name in config["run"]},
        whole=lambda w: counted(config["run"]),
        missing=lambda w: missing_files(),
        config=lambda w: {k: v for k, v in config.items() if k != "captions"},
    script:
        "../workflow/scripts/estimate.py"
