# `snakemake digits`, `snakemake per_class_digits`: one experiment of the run, one table or figure.
for _name, _files in targets_of_run().items():

    rule:
        name:
            _name
        input:
            _files,
        localrule: True
