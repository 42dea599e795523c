rule backbone:
    input:
        unpack(inputs_of("backbone")),
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
        gpu=resources.gpus(run.config["device"]),
        mem_mb=lambda w, attempt: min(attempt, 2) * 8000,
        runtime=480,
    params:
        entry=lambda w: run.entry("backbones", w.backbone),
        digest=lambda w: run.digest("backbones", w.backbone),
    script:
        "../workflow/scripts/backbone.py"
