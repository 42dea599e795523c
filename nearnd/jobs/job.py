"""One job of the pipeline: its log, seed, progress, and the folder for half-done work."""

import hashlib
import json
import logging
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nearnd.files.arrays import remove_parts
from nearnd.files.paths import path
from nearnd.jobs.malloc import keep_freed_memory
from nearnd.jobs.threads import set_threads

EVERY, SHOWN = 5.0, 30.0  # seconds between two lines of progress: in the log, on the screen

# what bad input, a full disk or diverging numbers raise: the sentence says enough
EXPECTED = (ValueError, OSError, ArithmeticError, MemoryError)

log = logging.getLogger("nearnd")


@dataclass
class Job:
    """What a script gets to work with."""

    name: str  # as in the log: "generator digits/3/digits_ve/seed0"
    seed: int  # a hash of the run's seed and the job's wildcards
    folder: Path  # where a killed job finds its state; removed when the job is done
    keep: bool = False  # not removed: the work may go on later

    def memory(self) -> dict[str, float]:
        """The largest memory so far in megabytes: of the process, and of the GPU if it used one."""
        found = {"peak_mb": _peak_mb()}
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
            found["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 1e6
        return found

    def progress(self, step: int, total: int, **values: Any) -> None:
        """Prints step, rate, values and time left, every few seconds and at the end."""
        now = time.monotonic()
        if self._first is None or step < self._first[1] or total != self._total:
            self._first, self._last, self._total, self._shown = (now, step), now, total, now
        if now - self._last < EVERY and not (step == total and now - self._first[0] > EVERY):
            return
        self._last, shown = now, now - self._shown >= SHOWN
        self._shown = now if shown else self._shown
        rate = (step - self._first[1]) / max(now - self._first[0], 1e-9)
        left = f", {clock((total - step) / rate)} left" if rate > 0 else ""
        facts = "".join(f", {key} {float(value):.4g}" for key, value in values.items())
        done = f"{step}/{total} ({step / total:.0%}), {rate:.3g} steps/s{facts}{left}"
        log.info(done, extra={"shown": shown})

    def __post_init__(self):
        self._first, self._last, self._total, self._shown = None, 0.0, 0, 0.0


def _peak_mb() -> float:
    """The largest resident memory of this process so far, in megabytes.

    On Linux from /proc: there the maximum that getrusage gives is inherited from the process that
    started this one, so a small job would show snakemake's own memory.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, else kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def job_name(rule: str, wildcards: dict[str, str]) -> str:
    """As a job is called in logs and on the screen, in one line whatever a class is called."""
    name = " ".join([rule, "/".join(wildcards.values())]).strip()
    return "".join(c if c.isprintable() else "?" for c in name)


def job_seed(run_seed: int | str, rule: str, wildcards: dict[str, str]) -> int:
    """A seed in [0, 2^31) that differs between jobs and is the same on every machine."""
    text = json.dumps([str(run_seed), rule, sorted(wildcards.items())])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def _logs(name: str, files: Iterable[str]) -> list[logging.Handler]:
    """Sends what a job says to the screen and to its log files. On the screen stand warnings,
    errors and now and then the progress: that it began and ended is said by the workflow
    (plan/screen.py), and what libraries warn of is for the log."""
    screen = logging.StreamHandler(sys.stderr)
    screen.addFilter(
        lambda record: (
            (record.levelno >= logging.WARNING and record.name != "py.warnings")
            or getattr(record, "shown", False)
        )
    )
    handlers: list[logging.Handler] = [screen]
    for file in files:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, mode="w", encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter(f"%(asctime)s {name}: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log on a full disk stays short; the job itself fails
    for noisy in ("httpx", "urllib3", "matplotlib", "fontTools", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return handlers


def _state_folder(rule: str, wildcards: dict[str, str], params: Any, inputs: list[str]) -> Path:
    """Where this very job, with these params and inputs, keeps its state."""
    stamps = [(file, os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in inputs]
    text = json.dumps([params, stamps], sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Path(path("state"), rule, *wildcards.values(), key)


def _read(files: Sequence[str], words: str) -> str:
    """What the job read, for a sentence that names none of it."""
    if not files or any(file in words for file in files):
        return ""
    return f" (read: {', '.join(files[:4])}{' ...' if len(files) > 4 else ''})"


@contextmanager
def start(snakemake, apart: Sequence[str] = ()) -> Iterator[Job]:
    """Opens the log, and closes the job: state removed on success, a plain message on failure.

    `snakemake` is the object that snakemake gives a script; only this function reads its log,
    rule and wildcards. With other params or inputs the job begins anew, but for the params in
    `apart`: with other values of these it goes on from its state.
    """
    wildcards = dict(snakemake.wildcards.items())
    name = job_name(snakemake.rule, wildcards)
    try:
        handlers = _logs(name, snakemake.log)
    except OSError as error:
        sys.exit(f"{name}: error: its log cannot be written: {error}")
    keep_freed_memory()
    given = dict(snakemake.params.items())
    set_threads(given.get("threads", 1), getattr(snakemake, "threads", 1))
    # a cluster asks a job to stop with SIGTERM: unwind, so that temporary files are removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    seed = job_seed(wildcards.get("seed", 0), snakemake.rule, wildcards)
    params = {key: value for key, value in given.items() if key not in apart}
    folder = _state_folder(snakemake.rule, wildcards, params, list(snakemake.input))
    run = Job(name, seed, folder)
    began = time.monotonic()
    try:
        for file in getattr(snakemake, "output", []):
            remove_parts(file)
        yield run
    except Exception as error:
        for handler in handlers[1:]:  # the traceback is for the log, the sentence for the user
            handler.handle(
                log.makeRecord(log.name, logging.ERROR, "", 0, "failed", (), sys.exc_info())
            )
        if not isinstance(error, EXPECTED) and type(error).__name__ != "OutOfMemoryError":
            raise  # torch's, which is not loaded here, says how much there was
        log.error(f"error: {error}{_read(list(snakemake.input), str(error))}")
        sys.exit(1)
    for state in folder.parent.glob("*"):  # also what the job left with other params
        if not (run.keep and state == folder):
            shutil.rmtree(state, ignore_errors=True)
    memory = ", ".join(f"{key} {value:.0f}" for key, value in run.memory().items())
    log.info(f"done in {clock(time.monotonic() - began)}, {memory}")
