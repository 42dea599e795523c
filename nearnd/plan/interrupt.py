"""Ctrl-C, in whatever a job is doing: it is asked to stop as a cluster asks.

A terminal sends it to all processes. A job that is just starting, when no line of ours has been
read, would print a traceback out of snakemake's imports. So jobs do not hear it: snakemake does,
and asks them with SIGTERM, which lets a training save its state.
"""

import signal
import threading
import time
from contextlib import suppress


def take_over(workflow) -> None:
    """Changes how jobs are started and what Ctrl-C does, in the process that a user started."""
    from snakemake.shell import shell

    if workflow.is_main_process and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        shell.prefix("trap '' INT; exec ")
        signal.signal(signal.SIGINT, _stop)


def _stop(*_) -> None:
    threading.Thread(target=_ask_jobs, daemon=True).start()
    raise KeyboardInterrupt


def _ask_jobs() -> None:
    """Also those that start now, each once: a second time would disturb it while it saves."""
    import psutil

    asked = set()
    while True:
        time.sleep(0.2)  # first, snakemake says that it stops
        for job in set(psutil.Process().children(recursive=True)) - asked:
            asked.add(job)
            with suppress(psutil.Error):
                job.terminate()
