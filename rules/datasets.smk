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
        archive=lambda w: archives.about(run.config, w.kind, w.archive),
    script:
        "../workflow/scripts/fetch.py"


rule images:
    input:
        unpack(inputs_of("images")),
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
        mem_mb=memory,
        runtime=runtime,
    params:
        entry=lambda w: run.entry("datasets", w.dataset),
        # which images are kept: all where the entry says nothing
        selection=lambda w: {
            key: value
            for key, value in run.config["datasets"][w.dataset].items()
            if key in ("only", "most", "tested", "contaminated")
        },
        archives=lambda w: archives.records(run.config, w.dataset),
        drawn=lambda w: run.drawn(w.dataset),
        digest=lambda w: run.digest("datasets", w.dataset),
        stamp=lambda w: inputs.stamp(inputs.folders(run, "datasets", w.dataset)),
    script:
        "../workflow/scripts/images.py"
