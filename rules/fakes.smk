rule fakes:
    input:
        unpack(inputs_of("fakes")),
    output:
        images="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.npy",
        facts="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.csv",
    log:
        "results/logs/fakes/{dataset}/{normal}/{fakes}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=memory,
        runtime=runtime,
    params:
        threads=threads,
        entry=lambda w: run.entry("fakes", w.fakes),
        digest=lambda w: run.digest("fakes", w.fakes),
        ratio=lambda w: run.config["fakes"][w.fakes].get("ratio", 1),
        generator=lambda w: (
            run.entry("generators", run.config["fakes"][w.fakes]["generator"])
            if "generator" in run.config["fakes"][w.fakes]
            else None
        ),
        stamp=lambda w: inputs.stamp(inputs.folders(run, "fakes", w.fakes)),
    script:
        "../workflow/scripts/fakes.py"
