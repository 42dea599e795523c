rule backbone:
    input:
        unpack(backbone_input),
    output:
        "results/backbones/{backbone}.safetensors",
    log:
        "results/logs/backbones/{backbone}.log",
    benchmark:
        "results/benchmarks/backbones/{backbone}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 8
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: min(attempt, 2) * 8000,
        runtime=480,
    params:
        entry=lambda w: entry("backbones", w.backbone),
        digest=lambda w: digest("backbones", w.backbone),
    script:
        "../workflow/scripts/backbone.py"
