rule score:
    input:
        unpack(inputs_of("score")),
    output:
        "results/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.csv",
        # with which entries and which seed: `nearnd export` asks
        made="results/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.json",
    log:
        "results/logs/scores/{dataset}/{normal}/{method}/{images}/seed{seed}.log",
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=less_memory,
    params:
        entry=lambda w: run.entry("scores", run.config["methods"][w.method]["score"]),
        digest=lambda w: run.digest("scores", run.config["methods"][w.method]["score"]),
        parts=lambda w: lineage.parts(run, w.dataset, w.method),
        own=lambda w: run.has_normal(w.dataset, w.images),
        answers=lambda w: run.answers(w.dataset, w.normal, w.method),
    script:
        "../workflow/scripts/score.py"


rule closeness:
    input:
        unpack(inputs_of("closeness")),
    output:
        "results/closeness/{dataset}/{closeness}/{images}.csv",
    log:
        "results/logs/closeness/{dataset}/{closeness}/{images}.log",
    conda:
        "../envs/tables.yaml"
    resources:
        mem_mb=less_memory,
    params:
        entry=lambda w: run.entry("closeness", w.closeness),
        digest=lambda w: run.digest("closeness", w.closeness),
    script:
        "../workflow/scripts/closeness.py"
