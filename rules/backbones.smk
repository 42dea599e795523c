rule backbone:
    input:
        pixels=backbone_input,
    output:
        "results/backbones/{backbone}.safetensors",
    params:
        entry=lambda w: entry("backbones", w.backbone),
        digest=lambda w: digest("backbones", w.backbone),
    log:
        "results/logs/backbones/{backbone}.log",
    benchmark:
        "results/benchmarks/backbones/{backbone}.tsv"
    threads: 8
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/backbone.py"
