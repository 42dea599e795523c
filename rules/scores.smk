rule score:
    input:
        unpack(score_input),
    output:
        "results/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.csv",
    log:
        "results/logs/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.log",
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt) // 2,
    params:
        entry=lambda w: entry("scores", config["methods"][w.method]["score"]),
        digest=lambda w: digest("scores", config["methods"][w.method]["score"]),
        own=lambda w: has_normal(w.dataset, w.images),
    script:
        "../workflow/scripts/score.py"


rule closeness:
    input:
        unpack(closeness_input),
    output:
        "results/closeness/{dataset}/{closeness}/{images}.csv",
    log:
        "results/logs/closeness/{dataset}/{closeness}/{images}.log",
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt) // 2,
    params:
        entry=lambda w: entry("closeness", w.closeness),
        digest=lambda w: digest("closeness", w.closeness),
    script:
        "../workflow/scripts/closeness.py"
