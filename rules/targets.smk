# `snakemake digits`, `snakemake per_class_digits`: one experiment of the run, one table or figure.
for _name, _files in targets.named(
    run, {known.name for known in workflow.rules}
).items():

    rule:
        name:
            _name
        input:
            _files,
        localrule: True
