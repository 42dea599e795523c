"""Jobs that start warm: forks of one process which has loaded what takes long to load.

torch, timm and scikit-learn take 3 s of a core to load, and most jobs of small images compute for
less. The fork server is that of Python's multiprocessing. A job stays what it is: a process of its
own with its log, its benchmark and its end. In another environment than snakemake's (conda,
containers, modules, a cluster) and where there are few jobs, snakemake starts them as ever; so it
does where it has no such function any more.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing.connection import wait
from pathlib import Path

MANY = 10  # jobs from which on loading pays
LOADED = [
    "snakemake.cli",  # which multiprocessing loads again in each job
    "pandas", "scipy.ndimage", "scipy.stats", "sklearn.covariance", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.svm", "matplotlib.figure", "safetensors.torch",
    "torchvision.transforms.v2", "timm",
]  # fmt: skip
# what a job has that another environment is for
ALONE = ("conda_env", "container_img", "env_modules", "shadow_dir")
STOPS = {signal.SIGINT, signal.SIGTERM}

_context = multiprocessing.get_context("forkserver")
_lock = threading.Lock()  # multiprocessing asks after all processes whenever it starts one


def take_over(workflow) -> None:
    """Puts the start of a job below in the place of snakemake's, in a run on this machine."""
    from snakemake import script

    cold = getattr(getattr(script, "PythonScript", None), "execute_script", None)
    if cold and workflow.is_main_process and sys.platform == "linux":
        script.PythonScript.execute_script = warm(
            cold, lambda: workflow.local_exec and len(workflow.dag) >= MANY and _guarded()
        )


def warm(cold: Callable, many: Callable[[], bool]) -> Callable:
    """What starts a script of snakemake's, in place of `cold`, which does where it cannot."""
    here = []  # whether jobs start warm, once known

    def execute_script(self, fname: str, edit: bool = False) -> None:
        with _lock:
            if not here:
                here.append(many() and _serve())
        if edit or not here[0] or any(getattr(self, name, None) for name in ALONE):
            return cold(self, fname, edit)
        with _lock:
            environment = dict(os.environ) | _temporary(self.resources)
            job = _context.Process(target=_run, args=(fname, os.getcwd(), environment))
            job.start()
        with _benchmarked(job.pid, self.bench_record):
            wait([job.sentinel])
        with _lock:
            job.join()
        if job.exitcode:
            raise subprocess.CalledProcessError(job.exitcode, f"{sys.executable} {fname}")

    return execute_script


def _guarded() -> bool:
    """Whether the program is snakemake's own, which can be loaded without running: another one that
    calls snakemake may run it again."""
    main = sys.modules["__main__"]
    program = getattr(main, "__spec__", None) or Path(getattr(main, "__file__", None) or "")
    return program.name in ("snakemake", "snakemake.__main__")


def _serve() -> bool:
    """Starts the process that jobs are forks of, and says whether that was possible: not where the
    folder for temporary files is full or its path too long. It hears neither Ctrl-C nor SIGTERM:
    it ends with snakemake, and jobs are asked to stop by themselves (plan/interrupt.py)."""
    from multiprocessing import forkserver, resource_tracker

    _context.set_forkserver_preload(LOADED)
    resource_tracker.ensure_running()  # which would let the signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        forkserver.ensure_running()
    except OSError:
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return True


def _run(fname: str, folder: str, environment: dict[str, str]) -> None:
    """A job, in its own process: as `python fname` there, but it does not hear Ctrl-C."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.chdir(folder)
    os.environ.update(environment)
    tempfile.tempdir, sys.argv = None, [fname]
    runpy.run_path(fname, run_name="__main__")


def _temporary(resources) -> dict[str, str]:
    """The folder for temporary files, as snakemake tells it to what it starts."""
    folder = resources.get("tmpdir")
    return dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder) if folder else {}


def _benchmarked(pid: int, record):
    from snakemake.benchmark import benchmarked

    return benchmarked(pid, record) if record is not None else nullcontext()
