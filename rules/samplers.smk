rule sampler:
    input:
        unpack(sampler_input),
    output:
        "results/samplers/{experiment}/{normal}/{sampler}/seed{seed}.tsv",
    log:
        "results/logs/samplers/{experiment}/{normal}/{sampler}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: lambda w: threads_of(experiment_of(w.experiment)["dataset"])
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: memory_of(
            experiment_of(w.experiment)["dataset"], attempt
        ),
        runtime=lambda w: runtime_of(experiment_of(w.experiment)["dataset"]),
    params:
        entries=sampler_entries,
        step=lambda w: samplers_of(w.experiment).get("step"),
        images=lambda w: samplers_of(w.experiment).get("images"),
        repeats=lambda w: samplers_of(w.experiment).get("repeats", 3),
        measures=lambda w: monitor_of(samplers_of(w.experiment)["generator"])[
            "measures"
        ],
        watcher=lambda w: entry("detectors", watcher_of(w.experiment)),
        digest=lambda w: [
            digest("generators", samplers_of(w.experiment)["generator"]),
            digest("samplers", w.sampler),
        ],
    script:
        "../workflow/scripts/sampler.py"
