rule list_datasets:
    log:
        "results/logs/list_datasets.log",
    conda:
        "../envs/tables.yaml"
    params:
        config={key: run.config[key] for key in ("datasets", "mirrors")},
    script:
        "../workflow/scripts/list_datasets.py"
