rule features:
    input:
        unpack(features_input),
    output:
        "results/features/{dataset}/{normal}/{detector}/seed{seed}/{images}.safetensors",
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/{images}.log",
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/features.py"
