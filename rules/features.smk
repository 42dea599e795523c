rule features:
    input:
        unpack(inputs_of("features")),
    output:
        train="results/features/{dataset}/{normal}/{detector}/seed{seed}/train.safetensors",
        test="results/features/{dataset}/{normal}/{detector}/seed{seed}/test.safetensors",
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/own.log",
    conda:
        "../envs/torch.yaml"
    threads: threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=memory,
        runtime=runtime,
    params:
        threads=threads,
        banked=lambda w: (w.dataset, w.detector) in run.banked,
        entry=lambda w: run.entry("detectors", w.detector),
        digest=lambda w: run.digest("detectors", w.detector),
    script:
        "../workflow/scripts/features.py"


rule features_elsewhere:
    input:
        unpack(inputs_of("features_elsewhere")),
    output:
        "results/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.safetensors",
    log:
        "results/logs/features/{dataset}/{normal}/{detector}/seed{seed}/{other}.test.log",
    conda:
        "../envs/torch.yaml"
    threads: threads
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=lambda w, attempt: resources.memory(run, w.other, attempt),
        runtime=lambda w: resources.runtime(run, w.other),
    params:
        threads=threads,
        entry=lambda w: run.entry("detectors", w.detector),
        digest=lambda w: run.digest("detectors", w.detector),
    script:
        "../workflow/scripts/features_elsewhere.py"
