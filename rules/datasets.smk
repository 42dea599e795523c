rule fetch:
    output:
        "results/archives/{kind}/{archive}.json",
    log:
        "results/logs/fetch/{kind}/{archive}.log",
    priority: 100
    retries: 1
    conda:
        "../envs/tables.yaml"
    params:
        archive=lambda w: archive_of(w.kind, w.archive),
    script:
        "../workflow/scripts/fetch.py"


rule images:
    input:
        archives=archives_input,
        folders=folders_input,
        clean=clean_input,
    output:
        multiext(
            "results/images/{dataset}/",
            "train.npy",
            "train.csv",
            "train_masks.npy",
            "test.npy",
            "test.csv",
            "test_masks.npy",
        ),
    log:
        "results/logs/images/{dataset}.log",
    conda:
        "../envs/tables.yaml"
    threads: 8
    resources:
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt),
        runtime=lambda w: runtime_of(w.dataset),
    params:
        entry=lambda w: entry("datasets", w.dataset),
        selection=lambda w: selection_of(w.dataset),
        archives=lambda w: archives_of(w.dataset),
        digest=lambda w: digest("datasets", w.dataset),
        stamp=lambda w: stamp(folders_input(w)),
    script:
        "../workflow/scripts/images.py"
