rule fakes:
    input:
        unpack(fakes_input),
    output:
        images="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.npy",
        facts="results/fakes/{dataset}/{normal}/{fakes}/seed{seed}.csv",
    params:
        entry=lambda w: entry("fakes", w.fakes),
        digest=lambda w: digest("fakes", w.fakes),
        ratio=lambda w: config["fakes"][w.fakes].get("ratio", 1),
        generator=lambda w: generator_behind(w.fakes),
    log:
        "results/logs/fakes/{dataset}/{normal}/{fakes}/seed{seed}.log",
    threads: lambda w: threads_of(w.dataset)
    resources:
        gpu=gpus(),
    conda:
        "../envs/torch.yaml"
    script:
        "../workflow/scripts/fakes.py"
