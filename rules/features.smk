rule features:
    input:
        unpack(features_input),
    output:
        train="results/features/{dataset}/{normal}/{detector}/seed{seed}/train.safetensors",
        test="results/features/{dataset}/{normal}/{detector}/seed{seed}/test.safetensors",
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/own.log",
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
        "../workflow/scripts/features.py"


rule features_elsewhere:
    input:
        unpack(features_elsewhere_input),
    output:
        "results/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.safetensors",
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.log",
    conda:
        "../envs/torch.yaml"
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: memory_of(w.other, attempt),
        runtime=lambda w: runtime_of(w.other),
    params:
        entry=lambda w: entry("detectors", w.detector),
        digest=lambda w: digest("detectors", w.detector),
    script:
        "../workflow/scripts/features_elsewhere.py"
