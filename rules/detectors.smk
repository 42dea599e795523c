rule detector:
    input:
        unpack(detector_input),
    output:
        "results/detectors/{dataset}/{normal}/{detector}/seed{seed}.safetensors",
    log:
        "results/logs/detectors/{dataset}/{normal}/{detector}/seed{seed}.log",
    benchmark:
        "results/benchmarks/detectors/{dataset}/{normal}/{detector}/seed{seed}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt),
        runtime=lambda w: runtime_of(w.dataset),
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    script:
        "../workflow/scripts/detector.py"
