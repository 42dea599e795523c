rule generator:
    input:
        unpack(generator_input),
    output:
        snapshots=directory(
            "results/generators/{dataset}/{normal}/{generator}/seed{seed}/snapshots"
        ),
        fidelity="results/generators/{dataset}/{normal}/{generator}/seed{seed}/fidelity.csv",
        previews="results/generators/{dataset}/{normal}/{generator}/seed{seed}/previews.npy",
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
    params:
        entry=lambda w: entry("generators", w.generator),
        digest=lambda w: digest("generators", w.generator),
        monitor=lambda w: monitor_of(w.generator),
        watcher=lambda w: entry("detectors", monitor_of(w.generator)["detector"]),
    script:
        "../workflow/scripts/generator.py"
