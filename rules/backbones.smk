rule backbone:
    input:
        unpack(inputs_of("backbone")),
    output:
        "results/backbones/{backbone}/seed{seed}.safetensors",
    log:
        "results/logs/backbones/{backbone}/seed{seed}.log",
    benchmark:
        "results/benchmarks/backbones/{backbone}/seed{seed}.tsv"
    priority: 20  # all else waits for it
    conda:
        "../envs/torch.yaml"
    threads: backbone_threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=lambda w, attempt: min(attempt, 2) * 8000,
        runtime=480,
    params:
        threads=backbone_threads,
        entry=lambda w: run.entry("backbones", w.backbone),
        digest=lambda w: run.digest("backbones", w.backbone),
    script:
        "../workflow/scripts/backbone.py"
