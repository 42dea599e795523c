rule fetch:
    output:
        "results/archives/{kind}/{archive}.json",
    params:
        archive=lambda w: archive_of(w.kind, w.archive),
    log:
        "results/logs/fetch/{kind}/{archive}.log",
    conda:
        "../envs/tables.yaml"
    retries: 1
    priority: 100
    script:
        "../workflow/scripts/fetch.py"


rule images:
    input:
        archives=archives_input,
        folders=folders_input,
    output:
        multiext("results/images/{dataset}/", "train.npy", "train.csv", "test.npy", "test.csv"),
    params:
        entry=lambda w: entry("datasets", w.dataset),
        archives=lambda w: archives_of(w.dataset),
        digest=lambda w: digest("datasets", w.dataset),
    log:
        "results/logs/images/{dataset}.log",
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow/scripts/images.py"
