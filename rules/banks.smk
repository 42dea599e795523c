rule bank:
    input:
        unpack(bank_input),
    output:
        "results/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.safetensors",
    log:
        "results/logs/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=lambda w, attempt: memory_of(w.dataset, attempt) // 2,
    params:
        entry=lambda w: entry("banks", w.bank),
        digest=lambda w: digest("banks", w.bank),
    script:
        "../workflow/scripts/bank.py"
