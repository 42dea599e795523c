"""What users of workflow catalogs rely on: names, a licence, use as a module."""

import re
import subprocess

import yaml
from toy import ROOT, SNAKEMAKE

from nearnd import __version__

FOREIGN = """
configfile: "{root}/config/config.yaml"
config.update(run=["tiny"], experiments={{"tiny": {{
    "dataset": "digits", "normals": ["3"], "methods": ["pixels"], "drawings": ["per_class"]}}}})

module nearnd:
    snakefile: "{root}/workflow/Snakefile"
    config: config

use rule * from nearnd as nearnd_*

rule mine:
    default_target: True
    input: "results/tables/summary.csv", "results/tables/tiny/per_class.md"
    output: "mine.txt"
    shell: "wc -l {{input}} > {{output}}"
"""


def test_another_workflow_uses_this_one_as_a_module(tmp_path):
    """With its own rule, default target, folder and config; the jobs run."""
    (tmp_path / "Snakefile").write_text(FOREIGN.format(root=ROOT))
    command = [*SNAKEMAKE, "--cores", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "per_class.md" in (tmp_path / "mine.txt").read_text()
    assert "pixels" in (tmp_path / "results/tables/summary.csv").read_text()


def test_the_standard_place_of_the_snakefile_plans_the_same(tmp_path):
    plans = [
        subprocess.run(
            [*SNAKEMAKE, "-n", "--cores", "2", "--directory", tmp_path, "--snakefile", ROOT / file],
            capture_output=True, text=True,
        )
        for file in ("Snakefile", "workflow/Snakefile")
    ]  # fmt: skip
    counts = [re.findall(r"(?m)^(\w+) +(\d+)$", plan.stdout + plan.stderr) for plan in plans]
    assert counts[0] == counts[1]
    assert dict(counts[0])["generator"] == "10"


def test_the_graph_in_the_readme_is_that_of_the_default(tmp_path):
    command = [*SNAKEMAKE, "--rulegraph", "mermaid-js", "--directory", tmp_path, "--snakefile"]
    done = subprocess.run([*command, ROOT / "Snakefile"], capture_output=True, text=True)
    name = dict(re.findall(r"(id\d+)\[(\w+)\]", done.stdout))
    edges = {(name[a], name[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", done.stdout)}
    shown = re.search(r"(?s)```mermaid(.*?)```", (ROOT / "README.md").read_text())[1]
    assert set(re.findall(r"(\w+) --> (\w+)", shown)) == {e for e in edges if e[1] != "all"}
    assert len(edges) > 20


def test_what_the_catalog_reads_is_there():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["software-stack-deployment"]["conda"]
    assert usage["report"]
    assert len((ROOT / "config/README.md").read_text()) > 1000
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert list((ROOT / "rules").glob("*.smk"))


def test_the_version_is_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert len(cited["references"]) == 5
    newest = re.search(r"(?m)^## (\S+)", (ROOT / "CHANGELOG.md").read_text())[1]
    assert newest == __version__


def test_the_workflow_of_the_hub_and_the_container_do_what_is_here():
    """Every make target, file and folder that they name exists."""
    made = set(re.findall(r"(?m)^([\w./-]+):", (ROOT / "Makefile").read_text()))
    jobs = yaml.safe_load((ROOT / ".github/workflows/main.yml").read_text())["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    text = "\n".join([*steps, (ROOT / "Dockerfile").read_text()])
    named = re.findall(r"\bmake[\s\",]+([\w./-]+)", re.sub(r"recommends make", "", text))
    assert {"test", "test-slurm", ".venv/installed", "run"} <= set(named) <= made
    assert all((ROOT / name).exists() for name in re.findall(r"tests/\S+\.yaml", text))
    for word in re.findall(r"make (?!test-slurm)([\w-]+)", (ROOT / ".ci/run").read_text()):
        assert f"make {word}" in steps
