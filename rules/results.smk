rule metrics:
    input:
        unpack(inputs_of("metrics")),
    output:
        "results/metrics/{experiment}.csv",
        slices="results/metrics/{experiment}.slices.csv",
        paired="results/metrics/{experiment}.paired.safetensors",
    log:
        "results/logs/metrics/{experiment}.log",
    conda:
        "../envs/tables.yaml"
    params:
        runs=lambda w: run.runs(w.experiment),
        copies=lambda w: run.copies(w.experiment),
        entries=lambda w: {
            m: run.entry("metrics", m) for m in run.experiment(w.experiment)["metrics"]
        },
        digests=lambda w: {
            m: run.digest("metrics", m)
            for m in run.experiment(w.experiment)["metrics"]
        },
    script:
        "../workflow/scripts/metrics.py"


rule summary:
    input:
        lambda w: targets.summary_files(complete()),
    output:
        "results/tables/summary.csv",
        page=report(
            "results/tables/summary.html",
            caption="../workflow/report/summary.rst",
            category="Summary",
            labels={"summary": "every number"},
        ),
        # the report's first page (workflow/report/workflow.rst)
        found=report(
            "results/tables/found.html",
            caption="../workflow/report/found.rst",
            category="Summary",
            labels={"summary": "what this run found"},
        ),
        figure="results/figures/summary.png",
    log:
        "results/logs/summary.log",
    conda:
        "../envs/tables.yaml"
    params:
        sources=lambda w: targets.summary(run),
        labels=lambda w: targets.labels(run),
    script:
        "../workflow/scripts/summary.py"


rule table:
    input:
        lambda w: targets.drawing_files(drawing(w)),
    output:
        "results/tables/{experiment}/{drawing}.csv",
        page=report(
            "results/tables/{experiment}/{drawing}.html",
            caption="../workflow/report/drawing.rst",
            category="Tables",
            subcategory="{experiment}",
            labels={"table": "{drawing}", "experiment": "{experiment}"},
        ),
        md="results/tables/{experiment}/{drawing}.md",
        tex="results/tables/{experiment}/{drawing}.tex",
    log:
        "results/logs/tables/{experiment}/{drawing}.log",
    conda:
        "../envs/tables.yaml"
    params:
        entry=lambda w: run.entry("drawings", w.drawing),
        digest=lambda w: run.digest("drawings", w.drawing),
        about=drawing,
        # of the report; snakemake runs no job again for a function of `threads`
        caption=lambda w, threads: targets.caption(run, BASE, w.drawing),
    script:
        "../workflow/scripts/table.py"


rule figure:
    input:
        lambda w: targets.drawing_files(drawing(w)),
    output:
        report(
            "results/figures/{experiment}/{drawing}.png",
            caption="../workflow/report/drawing.rst",
            category="Figures",
            subcategory="{experiment}",
            labels={"figure": "{drawing}", "experiment": "{experiment}"},
        ),
        pdf="results/figures/{experiment}/{drawing}.pdf",
    log:
        "results/logs/figures/{experiment}/{drawing}.log",
    conda:
        "../envs/tables.yaml"
    params:
        entry=lambda w: run.entry("drawings", w.drawing),
        digest=lambda w: run.digest("drawings", w.drawing),
        about=drawing,
        # of the report; snakemake runs no job again for a function of `threads`
        caption=lambda w, threads: targets.caption(run, BASE, w.drawing),
    script:
        "../workflow/scripts/figure.py"
