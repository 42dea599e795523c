rule detector:
    input:
        unpack(inputs_of("detector")),
    output:
        "results/detectors/{dataset}/{normal}/{detector}/seed{seed}.safetensors",
    log:
        "results/logs/detectors/{dataset}/{normal}/{detector}/seed{seed}.log",
    benchmark:
        "results/benchmarks/detectors/{dataset}/{normal}/{detector}/seed{seed}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=memory,
        runtime=runtime,
    params:
        threads=threads,
        entry=lambda w: run.entry("detectors", w.detector),
        digest=lambda w: run.digest("detectors", w.detector),
    script:
        "../workflow/scripts/detector.py"
