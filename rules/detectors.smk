rule detector:
    input:
        unpack(detector_input),
    output:
        "results/detectors/{dataset}/{normal}/{detector}/seed{seed}.safetensors",
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    log:
        "results/logs/detectors/{dataset}/{normal}/{detector}/seed{seed}.log",
    benchmark:
        "results/benchmarks/detectors/{dataset}/{normal}/{detector}/seed{seed}.tsv"
    threads: lambda w: threads_of_detector(w.dataset)
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/detector.py"
