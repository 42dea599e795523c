rule generator:
    input:
        unpack(inputs_of("generator")),
    output:
        snapshots=directory(
            "results/generators/{dataset}/{normal}/{generator}/seed{seed}/snapshots"
        ),
        fidelity="results/generators/{dataset}/{normal}/{generator}/seed{seed}/fidelity.csv",
        previews="results/generators/{dataset}/{normal}/{generator}/seed{seed}/previews.npy",
        # read by `asked_before`; not deleted when the job runs again
        reached=update(
            "results/generators/{dataset}/{normal}/{generator}/seed{seed}/reached.json"
        ),
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
            run, w.dataset, run.config["generators"][w.generator].get("steps", 0)
        ),
    params:
        entry=lambda w: run.entry("generators", w.generator),
        digest=lambda w: run.digest("generators", w.generator),
        monitor=lambda w: run.monitor(w.generator),
        watcher=lambda w: run.entry("detectors", run.monitor(w.generator)["detector"]),
        watcher_digest=lambda w: run.digest(
            "detectors", run.monitor(w.generator)["detector"]
        ),
        # training ends when these have what they need; no reason to run again, since
        # snakemake takes no function of `threads` for one: that is `asked`
        fakes=lambda w, threads: [],
        asked=lambda w: [],
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
