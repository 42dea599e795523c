rule bank:
    input:
        unpack(inputs_of("bank")),
    output:
        "results/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.safetensors",
    log:
        "results/logs/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=less_memory,
    params:
        entry=lambda w: run.entry("banks", w.bank),
        digest=lambda w: run.digest("banks", w.bank),
    script:
        "../workflow/scripts/bank.py"
