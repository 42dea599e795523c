rule sampler:
    input:
        unpack(inputs_of("sampler")),
    output:
        "results/samplers/{experiment}/{normal}/{sampler}/seed{seed}.tsv",
    log:
        "results/logs/samplers/{experiment}/{normal}/{sampler}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: lambda w: resources.threads(run, compared(w)[0])
    resources:
        gpu=resources.gpus(run.config["device"]),
        mem_mb=lambda w, attempt: resources.memory(run, compared(w)[0], attempt),
        runtime=lambda w: resources.runtime(run, compared(w)[0]),
    params:
        threads=lambda w: resources.threads(run, compared(w)[0]),
        entries=lambda w: settings.with_sampler(
            run.config, compared(w)[1]["generator"], w.sampler
        ),
        step=lambda w: compared(w)[1].get("step"),
        images=lambda w: compared(w)[1].get("images"),
        repeats=lambda w: compared(w)[1].get("repeats", 3),
        measures=lambda w: run.monitor(compared(w)[1]["generator"])["measures"],
        watcher=lambda w: run.entry("detectors", run.watcher(w.experiment)),
        digest=lambda w: [
            run.digest("generators", compared(w)[1]["generator"]),
            run.digest("samplers", w.sampler),
        ],
    script:
        "../workflow/scripts/sampler.py"
