rule generator:
    input:
        unpack(inputs_of("generator")),
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
    threads: threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=memory,
        runtime=lambda w: resources.runtime(
            run, w.dataset, job_cost.steps(run.config, w.generator)
        ),
    params:
        threads=threads,
        entry=lambda w: run.entry("generators", w.generator),
        digest=lambda w: run.digest("generators", w.generator),
        monitor=lambda w: run.monitor(w.generator),
        watcher=lambda w: run.entry("detectors", run.monitor(w.generator)["detector"]),
        watcher_digest=lambda w: run.digest(
            "detectors", run.monitor(w.generator)["detector"]
        ),
        # when training ends early; with another one it goes on from its state
        until=lambda w: run.config["generators"][w.generator].get("until"),
    script:
        "../workflow/scripts/generator.py"


rule costs:
    input:
        lambda w: [source["file"] for source in targets.costs(run)],
    output:
        "results/tables/costs.tsv",
    log:
        "results/logs/costs.log",
    conda:
        "../envs/tables.yaml"
    params:
        sources=lambda w: targets.costs(run),
    script:
        "../workflow/scripts/costs.py"
