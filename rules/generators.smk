rule generator:
    input:
        unpack(generator_input),
    output:
        snapshots=directory(
            "results/generators/{dataset}/{normal}/{generator}/seed{seed}/snapshots"
        ),
        fidelity="results/generators/{dataset}/{normal}/{generator}/seed{seed}/fidelity.csv",
        previews="results/generators/{dataset}/{normal}/{generator}/seed{seed}/previews.npy",
        cost="results/generators/{dataset}/{normal}/{generator}/seed{seed}/cost.tsv",
    log:
        "results/logs/generators/{dataset}/{normal}/{generator}/seed{seed}.log",
    benchmark:
        "results/benchmarks/generators/{dataset}/{normal}/{generator}/seed{seed}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt),
        runtime=lambda w: runtime_of(w.dataset, steps_of(w.generator)),
    params:
        entry=lambda w: entry("generators", w.generator),
        digest=lambda w: digest("generators", w.generator),
        monitor=lambda w: monitor_of(w.generator),
        watcher=lambda w: entry("detectors", monitor_of(w.generator)["detector"]),
        watcher_digest=lambda w: digest(
            "detectors", monitor_of(w.generator)["detector"]
        ),
        # when training ends early; with another one it goes on from its state
        until=lambda w: config["generators"][w.generator].get("until"),
    script:
        "../workflow/scripts/generator.py"


rule costs:
    input:
        lambda w: files_in({"costs": costs_sources()}),
    output:
        "results/tables/costs.tsv",
    log:
        "results/logs/costs.log",
    conda:
        "../envs/tables.yaml"
    params:
        sources=lambda w: costs_sources(),
    script:
        "../workflow/scripts/costs.py"
