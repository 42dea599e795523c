# Functions only: the graph of jobs behind targets, as if nothing were there yet.


def jobs_behind(targets):
    """Every job that targets take if nothing is there: {(rule, its wildcards)}."""
    makers = [maker for maker in workflow.rules if maker.output]
    jobs, seen, todo = set(), set(), [str(target) for target in targets]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        # no maker: a file of the user's own
        for maker in makers:
            if maker.is_producer(file):
                wildcards = maker.get_wildcards(file)
                job = (maker.name, tuple(sorted(wildcards.items())))
                if job not in jobs:
                    jobs.add(job)
                    todo += inputs_behind(maker, job[1])
                break
    return jobs


@cache
def inputs_behind(maker, wildcards):
    """What a job reads; nothing if a file that has to be there is missing (`missing_files`)."""
    try:
        return [str(file) for file in maker.expand_input(dict(wildcards))[0]]
    except InputFunctionException:
        return []


def alike(job):
    """The key of jobs that cost the same but for chance: no seed, and `one` for a class."""
    name, wildcards = job
    found = dict(wildcards)
    found.pop("seed", None)
    normal = found.get("normal")
    if normal and normal not in ("all", "any"):
        found["normal"] = "not-one" if normal.startswith("not-") else "one"
    return name, tuple(sorted(found.items()))


def targets_of(experiments):
    """The tables and figures of experiments, with their metrics."""
    measured = [
        f"results/metrics/{name}.csv"
        for name in experiments
        if experiment_of(name)["methods"]
    ]
    drawn = [file for name in experiments for file in drawing_files(name).values()]
    return measured + drawn


def counted(experiments):
    """[rule, wildcards, how many jobs are alike]"""
    found = {}
    for job in jobs_behind(targets_of(experiments)):
        found[alike(job)] = found.get(alike(job), 0) + 1
    return [[name, list(wildcards), n] for (name, wildcards), n in found.items()]
