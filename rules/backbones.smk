rule backbone:
    input:
        pixels=backbone_input,
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
    params:
        entry=lambda w: entry("backbones", w.backbone),
        digest=lambda w: digest("backbones", w.backbone),
    script:
        "../workflow/scripts/backbone.py"
