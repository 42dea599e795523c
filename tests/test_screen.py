"""What a run prints: a line or two for a job, each error once, and how to go on."""

import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image
from toy import SNAKEMAKE, copy_of_the_repository, run

from nearnd.plan.screen import Screen


def screen(**changed) -> Screen:
    rules = [SimpleNamespace(name=name, log=log) for name, log in [("score", ["x"]), ("all", [])]]
    dag = SimpleNamespace(jobs=[SimpleNamespace(rule=rule) for rule in rules])
    facts = {"rules": rules, "dag": dag, "dryrun": False, "local_exec": True,
             "workdir_init": os.getcwd()}  # fmt: skip
    return Screen(SimpleNamespace(**facts | changed), io.StringIO())


def say(shown: Screen, text: str = "", level: int = logging.INFO, **extra) -> list[str]:
    """The lines that one of snakemake's records leaves on the screen."""
    shown.stream.seek(0)
    shown.stream.truncate()
    record = logging.LogRecord("snakemake.logging", level, "", 0, text, (), None)
    record.__dict__.update(extra)
    shown.handle(record)
    return shown.stream.getvalue().splitlines()


def begin(shown: Screen, number: int = 3, log=("results/logs/a.log",)) -> list[str]:
    say(shown, event="run_info", stats={"score": 2, "all": 1, "total": 3})
    wildcards = {"dataset": "own", "normal": "a b"}
    return say(shown, event="job_info", jobid=number, log=list(log), rule_name="score",
               wildcards=wildcards)  # fmt: skip


def failed_by(shown: Screen, how: str) -> list[str]:
    command = f"RuleException:\nCalledProcessError in file x, line 36:\nCommand 'a\nb' {how}."
    lines = say(shown, command, logging.ERROR, event="error")
    lines += say(shown, "Error in rule", logging.ERROR, event="job_error", jobid=3,
                 log=["results/logs/a.log"], rule_name="score", indent=False,
                 rule_msg=None)  # fmt: skip
    lines += say(shown, "Exiting because a job execution failed. Look above", logging.ERROR)
    lines += say(shown, "Elapsed time: 0:00:01")
    return lines + say(shown, "WorkflowError:\nAt least one job did not complete successfully.",
                       logging.ERROR, event="error")  # fmt: skip


def test_a_job_that_ends_is_a_line_with_what_is_left():
    shown = screen()
    assert begin(shown) == []
    (line,) = say(shown, event="job_finished", job_id=3)
    assert re.fullmatch(r"\d\d:\d\d:\d\d score own/a b: done in 0:00 \(1 of 2\)", line)
    assert say(shown, event="progress", done=2, total=3) == []
    assert say(shown, "Select jobs to execute...") == []
    assert say(shown, "a word that is not known here") == ["a word that is not known here"]


def test_a_failed_job_names_its_log_once():
    shown = screen()
    begin(shown)
    lines = failed_by(shown, "returned non-zero exit status 1")
    assert len(lines) == 2  # the job itself has said why
    assert "score own/a b: failed after" in lines[0]
    assert "results/logs/a.log" in lines[0]
    assert "0 of 2 jobs are done and kept" in lines[1]


def test_a_job_that_could_not_say_why_it_ended_is_explained():
    shown = screen()
    begin(shown)
    lines = failed_by(shown, "died with <Signals.SIGKILL: 9>")
    assert "killed (SIGKILL" in lines[0]
    assert "memory" in lines[0]


def test_of_a_job_on_another_machine_the_sentence_is_read_from_its_log(tmp_path):
    log = tmp_path / "a.log"
    log.write_text(
        "10:00:00 x: error: first\nTraceback\n10:00:01 x: error: the image a.png is cut\n"
    )
    shown = screen(local_exec=False)
    begin(shown)
    (line,) = say(shown, "", logging.ERROR, event="job_error", jobid=3, log=[str(log)],
                  rule_name="score", indent=True, rule_msg="FAILED")  # fmt: skip
    assert "the image a.png is cut" in line
    assert "first" not in line


@pytest.mark.parametrize(
    "how", ["died with <Signals.SIGINT: 2>", "returned non-zero exit status 130"]
)
def test_a_stop_by_the_user_is_no_failure(how):
    shown = screen()
    begin(shown)
    (line,) = failed_by(shown, how)
    assert "stopped after" in line
    assert "same command" in line


def test_the_end_says_what_to_type_next_with_the_config_files_of_the_run(monkeypatch):
    monkeypatch.setattr("sys.argv", ["snakemake", "--cores", "2", "--configfile", "my own.yaml"])

    def end(rule: str) -> list[str]:
        shown = screen(dag=SimpleNamespace(jobs=[SimpleNamespace(rule=SimpleNamespace(name=rule))]))
        for number in (3, 4):
            begin(shown, number)
            say(shown, event="job_finished", job_id=number)
        return say(shown, "Elapsed time: 0:00:01")

    last = end("table")[-1]
    assert "--report results/report.html --cores 2 --configfile 'my own.yaml'" in last
    assert len(end("sizes")) == 1  # it has printed what was asked for


def test_a_mistake_in_the_config_is_one_sentence():
    text = 'WorkflowError in file "a.smk", line 1:\nconfig: x: y\n  File "a.smk", line 1, in z'
    assert say(screen(), text, logging.ERROR, event="error") == ["config: x: y"]


# ---- a run of own images ----


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with own images, two kinds of defects among them."""
    folder = copy_of_the_repository(tmp_path_factory.mktemp("own"))
    rng = np.random.default_rng(0)
    for split, names in {"train": ["good"], "test": ["good", "dent", "one|_$x$"]}.items():
        for name in names:
            (folder / "own" / split / name).mkdir(parents=True)
            for i in range(1 if "|" in name else 12):
                tones = rng.integers(90, 130, (16, 16)).astype(np.uint8)
                tones[4:8, 4:8] += 60 * (name != "good")
                Image.fromarray(tones).save(folder / "own" / split / name / f"{i}.png")
    (folder / "c.yaml").write_text(yaml.safe_dump({
        "run": ["own"], "device": "cpu",
        "datasets": {"own": {"kind": "image_folder", "path": "own", "size": 8, "mode": "L"}},
        "experiments": {"own": {"dataset": "own", "normals": "each", "methods": ["pixels"],
                                "drawings": ["per_class", "defects", "roc"]}},
    }))  # fmt: skip
    return folder


def started(snakemake):
    """Its jobs, forks of the process that has loaded what they need; one that has just been started
    has not read a line of ours."""
    found = []
    for child in psutil.Process(snakemake.pid).children():
        with suppress(psutil.Error):  # it has just ended
            found += child.children()
    return found


def test_ctrl_c_stops_at_once_keeps_what_is_done_and_the_same_command_goes_on(own):
    command = [*SNAKEMAKE, "--cores", "2", "--configfile", "c.yaml"]
    log = own / "out.txt"
    plain = "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    command = [sys.executable, "-c", f"{plain} os.execv(sys.argv[1], sys.argv[1:])", *command]
    with open(log, "w") as file:
        job = subprocess.Popen(command, cwd=own, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + 300
    while "(2 of" not in log.read_text() or not started(job):
        assert time.monotonic() < deadline
        assert job.poll() is None, log.read_text()
        time.sleep(0.01)
    jobs = started(job)
    os.killpg(job.pid, signal.SIGINT)
    assert job.wait(120) != 0
    assert not any(process.is_running() for process in jobs)
    lines = [x for x in log.read_text().splitlines() if not re.search(": done in|: runs$", x)]
    assert len(lines) == 4  # the profile, what is to do, and
    assert lines[2].endswith(" stopping")
    assert lines[3].endswith("jobs are done and kept; the same command goes on from there.")
    assert not list((own / "results").rglob("*.part"))
    lines = run(own, config="c.yaml").splitlines()
    done = [line for line in lines if ": done in" in line]
    assert len(lines) <= 2 * len(done) + 5
    assert "--report results/report.html --cores 2 --configfile c.yaml" in lines[-1]


def test_an_error_of_a_job_stands_once_on_the_screen(own):
    (own / "many.yaml").write_text(yaml.safe_dump({"scores": {"knn2": {"k": 200}}}))
    text = run(own, "many.yaml", config="c.yaml", check=False)
    assert text.count("k is 200") == 1
    assert "Traceback" not in text
    assert "results/logs/scores/own/good/pixels/test/seed0.log" in text
    rest = [x for x in text.splitlines() if not x.endswith(": runs") and ": done in" not in x]
    assert len(rest) <= 6


def test_what_is_said_again_and_again_is_shown_once():
    shown = screen()
    assert say(shown, "Will exit after finishing currently running jobs.") != []
    assert say(shown, "Will exit after finishing currently running jobs.") == []
    assert say(shown, "something else") == ["something else"]
