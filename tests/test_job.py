"""Seeds, state folders, messages and progress of a job."""

import logging
import os
import re
import signal
from types import SimpleNamespace

import pytest

from nearnd.jobs import job


class Named(dict):
    """What snakemake gives a script: a list with names."""

    def __iter__(self):
        return iter(self.values())


def snakemake(tmp_path, **changes):
    given = {
        "rule": "generator",
        "wildcards": {"dataset": "digits", "normal": "3", "seed": "0"},
        "params": Named(entry={"kind": "score_sde"}),
        "input": Named(),
        "log": [str(tmp_path / "logs" / "job.log")],
    }
    return SimpleNamespace(**given | changes)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)
    logging.getLogger().handlers.clear()


def test_seeds_differ_between_jobs_and_not_between_machines():
    wildcards = {"dataset": "digits", "normal": "3"}
    assert job.job_seed(0, "generator", wildcards) == job.job_seed("0", "generator", wildcards)
    seeds = {
        job.job_seed(seed, rule, wildcards | {"normal": normal})
        for seed in range(10)
        for rule in ("generator", "detector")
        for normal in "0123456789"
    }
    assert len(seeds) == 200
    assert job.job_seed(0, "generator", wildcards) == 18686514  # on every machine


def test_a_failed_job_keeps_its_state_and_a_finished_one_does_not(tmp_path, capsys):
    with pytest.raises(SystemExit), job.start(snakemake(tmp_path)) as run:
        run.folder.mkdir(parents=True)
        (run.folder / "last").write_text("half done")
        raise ValueError("the digits are not digits")
    assert "error: the digits are not digits" in capsys.readouterr().err
    assert "Traceback" in (tmp_path / "logs" / "job.log").read_text()
    with job.start(snakemake(tmp_path)) as again:
        assert (again.folder / "last").read_text() == "half done"
    assert not again.folder.exists()


def test_an_error_that_names_no_file_is_followed_by_what_was_read(tmp_path, capsys):
    data = tmp_path / "x.npy"
    data.touch()
    for words, said in (("cut off", f"cut off (read: {data})"), (f"{data} is odd", "is odd\n")):
        given = snakemake(tmp_path, input=Named(pixels=str(data)))
        with pytest.raises(SystemExit), job.start(given):
            raise ValueError(words)
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cuda:-1", "meta"])
def test_a_device_that_is_not_there_is_named(name, monkeypatch):
    from nearnd.jobs.device import device

    monkeypatch.setenv("NEARND_DEVICE", name)
    with pytest.raises(ValueError, match=rf"{name!r}; on this machine it may be auto or cpu"):
        device()


def test_other_params_or_inputs_are_another_job(tmp_path):
    def folder(**changes):
        with job.start(snakemake(tmp_path, **changes)) as run:
            return run.folder

    first = folder()
    assert folder() == first
    assert folder(params=Named(entry={"kind": "score_sde", "steps": 2})) != first
    data = tmp_path / "x.npy"
    data.write_text("a")
    one = folder(input=Named(pixels=str(data)))
    os.utime(data, (1, 1))
    assert folder(input=Named(pixels=str(data))) not in (one, first)


def test_other_params_of_those_set_apart_are_the_same_job(tmp_path):
    def state(entry, stops):
        params = Named(entry=entry, stops=stops)
        with job.start(snakemake(tmp_path, params=params), apart=["stops"]) as run:
            run.folder.mkdir(parents=True, exist_ok=True)
            run.keep = True
            return run.folder

    first = state({"steps": 600}, [{"step": 150}])
    assert first.exists()  # kept, to be trained further
    assert state({"steps": 600}, [{"step": 300}]) == first
    other = state({"steps": 700}, [{"step": 300}])
    assert other != first
    assert [folder.name for folder in first.parent.iterdir()] == [other.name]  # no old ones stay


def test_memory_is_that_of_the_process(tmp_path):
    with job.start(snakemake(tmp_path)) as run:
        block = b"x" * 300_000_000
        assert len(block) / 1e6 < run.memory()["peak_mb"] < 1e5


def test_progress_tells_rate_loss_and_time_left(tmp_path, monkeypatch, capsys):
    clock = iter([0.0, 1.0, 10.0, 40.0, 40.0])  # each step, then the end of the job
    with job.start(snakemake(tmp_path)) as run:
        monkeypatch.setattr(job.time, "monotonic", lambda: next(clock))
        for step in (0, 1, 2, 100):
            run.progress(step, 400, loss=0.25)
    written, shown = (tmp_path / "logs/job.log").read_text(), capsys.readouterr().err
    assert "2/400 (0%), 0.2 steps/s, loss 0.25, 33:10 left" in written
    assert "100/400 (25%), 2.5 steps/s, loss 0.25, 2:00 left" in written
    assert "1/400" not in written  # too soon after the one before
    assert re.findall(r"\d+/400", shown) == ["100/400"]  # fewer lines on the screen
