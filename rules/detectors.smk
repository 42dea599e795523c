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
    threads: lambda w: threads_of_detector(w.dataset)
    resources:
        gpu=gpus(),
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    script:
        "../workflow/scripts/detector.py"
