"""The pipeline through a real SLURM: jobs killed, preempted and out of time lose nothing."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy import SNAKEMAKE, copy_of_the_repository, digests

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    "NEARND_SLURM" not in os.environ, reason="needs a SLURM: make test-slurm starts one"
)

# one machine: its cores are few, and its file system shows files at once
HERE_AND_NOW = [
    "--workflow-profile", "profiles/slurm", "--cores", "2",
    "--max-threads", "1", "--latency-wait", "5", "--slurm-status-command", "squeue",
    "--slurm-no-account", "--slurm-init-seconds-before-status-checks", "3",
]  # fmt: skip


TARGET = "results/tables/toy/per_class.csv"


def repository(folder: Path) -> Path:
    copy_of_the_repository(folder)
    (folder / "toy.yaml").write_text((HERE / "toy.yaml").read_text())
    return folder


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_for(what: str, found, seconds: float = 300):
    """The first thing that `found()` gives."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.2)
    return result


class Run:
    """The pipeline in a folder of its own."""

    def __init__(self, folder: Path, *arguments: str):
        self.folder, self.log = repository(folder), folder / "run.log"
        command = [*SNAKEMAKE, TARGET, "--configfile", "toy.yaml", *arguments]
        with self.log.open("w") as log:
            self.run = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)

    def finish(self) -> None:
        assert self.run.wait(480) == 0, self.log.read_text()

    def kill(self) -> None:
        self.run.kill()
        self.run.wait()


class ClusterRun(Run):
    """On the cluster, with a look at the jobs of its generators."""

    def job(self, normal: str, instead_of: str | None = None) -> str:
        """The SLURM id of the job that trains this class's generator, once it runs."""

        def found() -> str | None:
            assert self.run.poll() is None, self.log.read_text()
            comment = f"rule_generator_wildcards_digits_{normal}_"
            for line in ask("squeue", "-h", "-t", "running", "-o", "%i %k").splitlines():
                number, about = line.split(maxsplit=1)
                if about.startswith(comment) and number != instead_of:
                    return number
            return None

        return wait_for(f"running generator of {normal}", found)

    def wait_for_line(self, normal: str, pattern: str) -> re.Match:
        """In the log of the generator's present attempt."""
        file = self.folder / f"results/logs/generators/digits/{normal}/digits_ve/seed0.log"
        text = lambda: file.read_text() if file.exists() else ""  # noqa: E731
        return wait_for(f"line {pattern}", lambda: re.search(pattern, text()))

    def went_on(self, normal: str, after: int = 0) -> int:
        """The step from which the generator went on, once it says so."""
        line = r"goes on from step (\d+)"

        def found() -> int:
            step = int(self.wait_for_line(normal, line)[1])
            return step if step > after else 0

        return wait_for(f"generator of {normal} that goes on", found)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A local run, begun before the other: that one mostly waits."""
    run = Run(tmp_path_factory.mktemp("local"), "--cores", "1")
    yield run
    run.kill()


@pytest.fixture(scope="module")
def disturbed(undisturbed, tmp_path_factory):
    """A run on the cluster whose generators are interrupted in three ways, and the step from which
    each went on."""
    run = ClusterRun(tmp_path_factory.mktemp("cluster"), *HERE_AND_NOW)
    went_on = {}
    try:
        killed, ended = run.job("3"), run.job("8")
        for normal in "38":
            run.wait_for_line(normal, "step 60, ")  # of the first snapshot: a state is saved
        ask("scancel", "--signal=KILL", f"{killed}.0")  # its step: of a job it means "end it"
        # the profile's signal comes two minutes before the end: that is now
        ask("scontrol", "update", f"JobId={ended}", "TimeLimit=1")

        run.job("3", instead_of=killed)
        went_on["killed"] = run.went_on("3")
        preempted = run.job("8", instead_of=ended)  # the later one has more steps to go
        went_on["out of time"] = run.went_on("8")
        cpus = ask("sinfo", "-h", "-p", "main", "-o", "%c").strip()
        ask("sbatch", "-p", "urgent", "-c", cpus, "--output", "/dev/null", "--wrap", "sleep 1")
        wait_for("preemption", lambda: "Restarts=1" in ask("scontrol", "show", "job", preempted))
        assert run.job("8") == preempted  # SLURM's own doing, not a new submission
        went_on["preempted"] = run.went_on("8", after=went_on["out of time"])
        run.finish()
    finally:
        run.kill()
    return run, went_on


def test_a_killed_generator_goes_on_from_its_last_snapshot(disturbed):
    assert disturbed[1]["killed"] == 60  # KILL leaves no time to save


def test_a_job_whose_time_is_nearly_over_saves_its_state_and_its_retry_goes_on(disturbed):
    assert disturbed[1]["out of time"] > 60


def test_a_preempted_job_saves_its_state_and_goes_on_when_slurm_starts_it_again(disturbed):
    assert disturbed[1]["preempted"] > disturbed[1]["out of time"]


def test_light_jobs_share_a_submission(disturbed):
    text = disturbed[0].log.read_text()
    sent = re.findall(r"has been submitted with SLURM jobid (\d+)", text)
    jobs = int(re.search(r"all is done in .* jobs: (\d+)", text)[1])
    # two banks and two scores are one submission, the metrics and their table are another;
    # two generators were submitted again, the killed one and the one out of time
    assert len(sent) == jobs - 3 - 1 + 2


def test_results_are_those_of_an_undisturbed_local_run(disturbed, undisturbed):
    undisturbed.finish()
    made = digests(undisturbed.folder)
    assert TARGET in made
    assert sum("/snapshots/" in name for name in made) == 4  # two of each generator
    assert digests(disturbed[0].folder) == made
