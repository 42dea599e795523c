rule features:
    input:
        unpack(features_input),
    output:
        train="results/features/{dataset}/{normal}/{detector}/seed{seed}/train.safetensors",
        test="results/features/{dataset}/{normal}/{detector}/seed{seed}/test.safetensors",
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/own.log",
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/features.py"


rule features_elsewhere:
    input:
        unpack(features_elsewhere_input),
    output:
        "results/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.safetensors",
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.log",
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/features_elsewhere.py"
