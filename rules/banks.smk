rule bank:
    input:
        unpack(bank_input),
    output:
        "results/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.safetensors",
    params:
        entry=lambda w: entry("banks", w.bank),
        digest=lambda w: digest("banks", w.bank),
    log:
        "results/logs/banks/{dataset}/{normal}/{detector}/{bank}/seed{seed}.log",
    conda:
        "../envs/tables.yaml"
    script:
        "../workflow/scripts/bank.py"
