# `snakemake digits`, `snakemake per_class_digits`: one experiment of the run, one table or figure;
# `snakemake fitymi_table_1c`, whatever the run. A job, which makes none of these, needs no papers.
for _name, _files in targets.named(
    run, {known.name for known in workflow.rules}, workflow.is_main_process
).items():

    rule:
        name:
            _name
        input:
            _files,
        localrule: True
