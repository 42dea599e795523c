"""Jobs that start as forks of a process which has loaded their libraries are jobs like others."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace

import pytest

from nearnd.plan import warm

TRAIN = """
import sys
sys.path.insert(0, {base!r})
from nearnd.jobs.threads import set_threads
set_threads({threads}, 2)
import torch
assert torch.get_num_threads() == {threads}
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(300, 400), torch.nn.GELU(), torch.nn.Linear(400, 1))
x = torch.randn(512, 300)
for _ in range(5):
    net.zero_grad()
    net(x).square().mean().backward()
    with torch.no_grad():
        for p in net.parameters():
            p -= 0.1 * p.grad
open({out!r}, "wb").write(b"".join(p.detach().numpy().tobytes() for p in net.parameters()))
"""
FACTS = """
import json, os, sys, tempfile
facts = [__name__, sys.argv, os.getcwd(), os.getppid(), tempfile.gettempdir()]
json.dump(facts, open("facts.json", "w"))
"""


@pytest.fixture(scope="module", autouse=True)
def _server():
    """One for this file, with torch alone; it ends with the last test. That of another file, which
    hears signals, ends before."""
    forkserver._forkserver._stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm, "LOADED", ["torch"])
        yield
    forkserver._forkserver._stop()


def job(folder, text, name="job.py"):
    """A script of snakemake's, and what snakemake knows of it."""
    file = folder / name
    file.write_text(text)
    about = dict.fromkeys((*warm.ALONE, "bench_record")) | {"resources": {}}
    return str(file), SimpleNamespace(**about)


def cold(self, fname, edit):
    raise AssertionError("it started cold")


start = warm.warm(cold, lambda: True)


def test_a_job_runs_as_a_script_where_snakemake_is_and_is_no_child_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scratch").mkdir()
    file, about = job(tmp_path, FACTS)
    about.resources = {"tmpdir": str(tmp_path / "scratch")}
    start(about, file)
    name, argv, folder, parent, scratch = json.loads((tmp_path / "facts.json").read_text())
    assert (name, argv, folder) == ("__main__", [file], str(tmp_path))
    assert parent != os.getpid()
    assert scratch == str(tmp_path / "scratch")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_gives_the_same_bytes_as_in_a_process_of_its_own(tmp_path, threads):
    base = str(Path(warm.__file__).parents[2])
    made = []
    for name in ("warm", "cold"):
        text = TRAIN.format(base=base, threads=threads, out=str(tmp_path / name))
        file, about = job(tmp_path, text, f"{name}.py")
        if name == "warm":
            start(about, file)
        else:
            subprocess.run([sys.executable, file], check=True)
        made.append((tmp_path / name).read_bytes())
    assert len(made[0]) > 4 * 120_000
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys; sys.exit(3)", "returned non-zero exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "died with <Signals.SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "died with <Signals.SIGTERM"),
    ],
)
def test_how_a_job_ends_is_told_as_snakemake_tells_it(tmp_path, text, said):
    file, about = job(tmp_path, text)
    with pytest.raises(subprocess.CalledProcessError, match=said):
        start(about, file)


def test_jobs_of_several_threads_end_each_with_their_own_code(tmp_path):
    """multiprocessing asks after all its processes when it starts one, and can lose a code then."""
    codes = {}

    def one(i):
        file, about = job(tmp_path, f"import sys; sys.exit({i % 7})", f"{i}.py")
        try:
            start(about, file)
            codes[i] = 0
        except subprocess.CalledProcessError as error:
            codes[i] = error.returncode

    threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {i: i % 7 for i in range(40)}


def test_the_process_that_jobs_are_forks_of_hears_no_signal_and_jobs_no_ctrl_c(
    tmp_path, monkeypatch
):
    text = "import time; open('up', 'w').close(); time.sleep(1); open('end', 'w').close()"
    file, about = job(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    thread = threading.Thread(target=start, args=(about, file))
    thread.start()
    while not (tmp_path / "up").exists():
        time.sleep(0.01)
    server = forkserver._forkserver._forkserver_pid
    (one,) = multiprocessing.active_children()
    os.kill(one.pid, signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(server, number)
    thread.join()
    assert (tmp_path / "end").exists()
    assert os.waitpid(server, os.WNOHANG) == (0, 0)


@pytest.mark.parametrize("name", warm.ALONE)
def test_what_runs_in_another_environment_starts_as_ever(tmp_path, name):
    file, about = job(tmp_path, "raise SystemExit(1)")
    setattr(about, name, "other")
    with pytest.raises(AssertionError, match="it started cold"):
        start(about, file)


def test_few_jobs_start_as_ever_and_so_do_those_of_a_program_that_would_run_again(tmp_path):
    file, about = job(tmp_path, "raise SystemExit(1)")
    with pytest.raises(AssertionError, match="it started cold"):
        warm.warm(cold, lambda: False)(about, file)
    assert not warm._guarded()  # pytest is not snakemake
