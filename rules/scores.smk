rule score:
    input:
        unpack(score_input),
    output:
        "results/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.csv",
    params:
        entry=lambda w: entry("scores", config["methods"][w.method]["score"]),
        digest=lambda w: digest("scores", config["methods"][w.method]["score"]),
    log:
        "results/logs/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.log",
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow/scripts/score.py"


rule closeness:
    input:
        unpack(closeness_input),
    output:
        "results/closeness/{dataset}/{closeness}/{images}.csv",
    params:
        entry=lambda w: entry("closeness", w.closeness),
        digest=lambda w: digest("closeness", w.closeness),
    log:
        "results/logs/closeness/{dataset}/{closeness}/{images}.log",
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow/scripts/closeness.py"
