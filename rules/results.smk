rule metrics:
    input:
        metrics_input,
    output:
        "results/metrics/{experiment}.csv",
        slices="results/metrics/{experiment}.slices.csv",
    log:
        "results/logs/metrics/{experiment}.log",
    conda:
        "../envs/tables.yaml"
    params:
        runs=lambda w: runs_of(w.experiment),
        copies=lambda w: copies_of(w.experiment),
        entries=lambda w: {
            m: entry("metrics", m) for m in experiment_of(w.experiment)["metrics"]
        },
        digests=lambda w: {
            m: digest("metrics", m) for m in experiment_of(w.experiment)["metrics"]
        },
    script:
        "../workflow/scripts/metrics.py"


rule summary:
    input:
        summary_input,
    output:
        report(
            "results/tables/summary.csv",
            caption="../workflow/report/summary.rst",
            category="Summary",
        ),
    log:
        "results/logs/summary.log",
    conda:
        "../envs/tables.yaml"
    params:
        sources=lambda w: summary_sources(),
    script:
        "../workflow/scripts/summary.py"


rule table:
    input:
        drawing_input,
    output:
        report(
            "results/tables/{experiment}/{drawing}.csv",
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
        entry=lambda w: entry("drawings", w.drawing),
        digest=lambda w: digest("drawings", w.drawing),
        about=drawing_params,
    script:
        "../workflow/scripts/table.py"


rule figure:
    input:
        drawing_input,
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
        entry=lambda w: entry("drawings", w.drawing),
        digest=lambda w: digest("drawings", w.drawing),
        about=drawing_params,
    script:
        "../workflow/scripts/figure.py"
