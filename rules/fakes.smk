rule fakes:
    input:
        unpack(fakes_input),
    output:
        images="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.npy",
        facts="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.csv",
    log:
        "results/logs/fakes/{dataset}/{normal}/{fakes}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt),
        runtime=lambda w: runtime_of(w.dataset),
    params:
        entry=lambda w: entry("fakes", w.fakes),
        digest=lambda w: digest("fakes", w.fakes),
        ratio=lambda w: config["fakes"][w.fakes].get("ratio", 1),
        generator=lambda w: generator_behind(w.fakes),
        stamp=lambda w: stamp(fakes_input(w)["outside"]),
    script:
        "../workflow/scripts/fakes.py"
