rule sizes:
    log:
        "results/logs/sizes.log",
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow/scripts/sizes.py"


rule clean_checkpoints:
    log:
        "results/logs/clean_checkpoints.log",
    conda:
        "../envs/tables.yaml"
    params:
        outputs={
            name: [
                str(path).removeprefix("results/")
                for path in getattr(rules, name).output
            ]
            for name in ("backbone", "generator", "detector")
        },
    script:
        "../workflow/scripts/clean_checkpoints.py"
