"""The graph of jobs behind targets, as if nothing were there yet: for `snakemake estimate`."""

from collections import Counter
from collections.abc import Iterable
from functools import cache

from nearnd.files.paths import path
from nearnd.plan import targets
from nearnd.plan.run import Run
from nearnd.tasks import Normal

Wildcards = tuple[tuple[str, str], ...]  # (name, value), sorted by name


def counted(run: Run, rules: Iterable, experiments: list[str]) -> list[list]:
    """[rule, its wildcards, how many jobs are alike] behind tables, figures and metrics.

    rules: snakemake's. Jobs are alike that cost the same but for chance: see `alike`.
    """
    run.complete = True  # what is missing is named, not asked for
    made = [f for name in experiments for f in targets.drawings(run, name).values()]
    parts = [part for name in experiments for part in run.parts(name)]
    measured = [p for p in dict.fromkeys(parts) if run.experiment(p)["methods"]]
    made += [path("metrics", experiment=part) for part in measured]
    jobs = Counter(alike(*job) for job in jobs_behind(made, rules))
    return [[name, list(wildcards), n] for (name, wildcards), n in jobs.items()]


def of_each(run: Run, rules: Iterable, names: list[str]) -> dict[str, list[list]]:
    """{experiment: its jobs, as `counted` has them} of experiments that unite others. What several
    of them unite is followed once."""
    run.complete = True
    behind: dict[str, set] = {}
    found = {}
    for name in names:
        measured = [part for part in run.parts(name) if run.experiment(part)["methods"]]
        tables = {
            path(what, experiment=part)
            for part in measured
            for what in ("metrics", "slices", "paired")
        }
        jobs = jobs_behind(targets.drawings(run, name).values(), rules, tables)
        for part in measured:
            if part not in behind:
                behind[part] = jobs_behind([path("metrics", experiment=part)], rules)
            jobs |= behind[part]
        alikes = Counter(alike(*job) for job in jobs)
        found[name] = [[rule, list(wildcards), n] for (rule, wildcards), n in alikes.items()]
    return found


def jobs_behind(
    files: Iterable[str], rules: Iterable, known: Iterable[str] = ()
) -> set[tuple[str, Wildcards]]:
    """Every job that files take if nothing is there: {(rule, its wildcards)}. What is behind
    `known` files is not followed."""
    makers = [rule for rule in rules if rule.output]
    jobs, seen, todo = set(), set(known), [str(file) for file in files]
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        maker = next((rule for rule in makers if rule.is_producer(file)), None)
        if maker is None:  # a file of the user's own
            continue
        job = maker.name, tuple(sorted(maker.get_wildcards(file).items()))
        if job not in jobs:
            jobs.add(job)
            todo += _inputs(maker, job[1])
    return jobs


@cache
def _inputs(rule, wildcards: Wildcards) -> list[str]:
    """What a job reads; nothing if a file that has to be there is missing (`missing_files`)."""
    from snakemake.exceptions import InputFunctionException

    try:
        return [str(file) for file in rule.expand_input(dict(wildcards))[0]]
    except InputFunctionException:
        return []


def alike(rule: str, wildcards: Wildcards) -> tuple[str, Wildcards]:
    """A job without its seed, and with a word in place of a class."""
    found = {name: value for name, value in wildcards if name != "seed"}
    if found.get("normal", "any") != "any":
        found["normal"] = Normal.parse(found["normal"]).alike
    return rule, tuple(sorted(found.items()))
