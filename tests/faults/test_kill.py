"""A job killed at any moment loses nothing: what it makes next time has the same bytes."""

import os
import shutil
import signal
from contextlib import suppress

import pytest
from _stages import GENERATOR, LONG, REPEATS, STAGES, moments, results, run, start

KILLS = [signal.SIGKILL, signal.SIGTERM]


def killed(folder, stage, number, after, **changes):
    """The exit code of a run that got a signal so many seconds after its start."""
    process = start(folder, stage, **changes)
    process.join(after)
    if process.is_alive():
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(process.pid, number)
    process.join()
    return process.exitcode


def is_done(folder, stage):
    """Whether all was done, even if the process was killed while it ended."""
    log = folder / f"logs/{stage}.log"
    return log.exists() and ": done in " in log.read_text()


def whole_or_absent(folder, stage, made):
    """No output is there by half."""
    for name, content in results(folder, stage).items():
        assert made[name] == content, f"{name} is half written"


@pytest.mark.parametrize("stage", LONG)
def test_killed_at_random_moments_and_started_again_it_makes_the_same_bytes(toy, tmp_path, stage):
    chance = moments(stage, "killed")
    for repeat in range(REPEATS):
        folder = toy.copy(tmp_path / str(repeat))
        span, left = toy.seconds[stage], chance.sample(KILLS, 2)
        while left:  # killed by both, the second time while it goes on from the first
            code = killed(folder, stage, left[0], chance.uniform(0, span))
            whole_or_absent(folder, stage, toy.made[stage])
            if code == 0 or is_done(folder, stage):  # it was faster
                shutil.rmtree(folder / "results" / "state", ignore_errors=True)
                span *= 0.7
                continue
            assert code in (-left.pop(0), 143), (folder / "said.txt").read_text()
        code, said = run(folder, stage)
        assert code == 0, said
        assert results(folder, stage) == toy.made[stage]
        assert not [p for p in folder.rglob("*") if p.name.endswith(".part")]
        assert not list((folder / "results").glob("state/*/**/*.safetensors"))
        shutil.rmtree(folder)


def test_a_training_killed_under_one_config_lends_nothing_to_another(toy, tmp_path):
    other = STAGES["generator"]["params"] | {"entry": GENERATOR | {"lr": 2e-3}}
    undisturbed = toy.copy(tmp_path / "undisturbed")
    assert run(undisturbed, "generator", params=other)[0] == 0
    expected = results(undisturbed, "generator")
    assert expected != toy.made["generator"]

    folder = toy.copy(tmp_path / "killed")
    code = killed(folder, "generator", signal.SIGKILL, 0.6 * toy.seconds["generator"])
    assert code in (-signal.SIGKILL, 0)
    code, said = run(folder, "generator", params=other)
    assert code == 0
    assert "goes on from step" not in said
    assert results(folder, "generator") == expected
    assert run(folder, "generator")[0] == 0
    assert results(folder, "generator") == toy.made["generator"]


class Dies:
    """Stands for a decoder that crashes on its n-th image, as native code can."""

    def __init__(self, how, after):
        self.how, self.after = how, after

    def __call__(self):
        from nearnd.files import decode

        real, calls = decode.square, []

        def square(*args):
            calls.append(1)
            if len(calls) == self.after:
                self.how()
            return real(*args)

        decode.square = square


def leave():
    os._exit(17)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(("how", "code"), [(leave, 17), (crash, -signal.SIGSEGV)])
def test_a_worker_that_dies_ends_the_job_and_leaves_nothing_half_done(toy, tmp_path, how, code):
    folder = toy.copy(tmp_path / "toy")
    assert run(folder, "images", Dies(how, 70), threads=3)[0] == code
    assert results(folder, "images") == {}
    assert run(folder, "images", threads=3)[0] == 0
    assert results(folder, "images") == toy.made["images"]
