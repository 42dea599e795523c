"""What a run prints: a line where a job ends, in place of the twenty that snakemake has for it.

A handler that takes the place of snakemake's own, from the Snakefile. A logger plugin would do the
same, but snakemake finds only installed ones (not those of a clone, nor of `pip install -e`), and a
profile that names one that is missing stops every run. Where snakemake has no such handler, or its
own words are asked for (`--verbose`, `--quiet`, `--logger`, ...), nothing changes. They are in
.snakemake/log in any case.
"""

import logging
import os
import re
import shlex
import shutil
import sys
import threading
import time
from pathlib import Path

from nearnd.files.paths import RESULTS, path
from nearnd.jobs.job import clock, job_name
from nearnd.plan import targets

WAIT = 5.0  # seconds after which a job is worth a line before it ends
# Messages without an event that say nothing to a user.
SILENT = (
    "Building DAG of jobs", "Using shell", "Group jobs: inactive", "Conda environments: ignored",
    "Select jobs to execute", "Assuming unrestricted", "Config file ", "Complete log",
    "Removing output files of failed job", "Exiting because a job execution failed",
    "Shutting down", "Some jobs were triggered by provenance", "Job rate limit reached",
    "Adding ", "Loading script code", "Missing metadata for file",
)  # fmt: skip
FINAL = "At least one job did not complete successfully"
# How a job's process ended; what it said itself stands above.
ENDED = re.compile(r"Command '.*' (?:returned .* status (\d+)|died with <Signals\.(\w+))", re.S)


def take_over(workflow) -> None:
    """Puts the handler below in the place of snakemake's, in the process that a user started."""
    settings = workflow.output_settings
    if not workflow.is_main_process or settings.quiet or settings.verbose or settings.debug_dag:
        return
    logger = logging.getLogger("snakemake.logging")
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            logger.addHandler(Screen(workflow, handler.stream))
            sys.excepthook = _hook  # Ctrl-C while the jobs are planned


def _hook(kind, error, trace) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("stopped; nothing was started", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def _nothing_of_each_job() -> None:
    """Of a dry-run the table is all that is shown, and no log is kept: what snakemake would say of
    each job, a fifth of planning a large graph, is not put together."""
    from snakemake.executors import dryrun

    dryrun.Executor.printjob = lambda self, job: None


class Screen(logging.Handler):
    """A line for each job that ends, and for each that takes longer than WAIT where it begins."""

    def __init__(self, workflow, stream):
        super().__init__()
        self.workflow, self.stream = workflow, stream
        self.began, self.jobs = time.monotonic(), {}  # jobid: name and when it began
        self.done, self.total, self.stopped, self.last = 0, None, False, ""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        say = getattr(self, f"_{event}", None) if event else self._message
        try:
            if text := say and say(record):
                print(text, file=self.stream, flush=True)
        except Exception:
            self.handleError(record)

    def _said(self, text: str) -> str:
        return f"{time.strftime('%H:%M:%S')} {text}"

    # ---- one method for each of snakemake's events (LogEvent); others are not shown ----

    def _run_info(self, record) -> str | None:
        """How many jobs there are: before a run in a line, of a dry-run the table by rule."""
        if self.total is not None:
            return None  # a dry-run says it again at its end
        for_nothing = {rule.name for rule in self.workflow.rules if not rule.log}  # such as `all`
        stats = {n: k for n, k in record.stats.items() if n != "total" and n not in for_nothing}
        self.total = sum(stats.values())
        if self.workflow.dryrun:
            _nothing_of_each_job()
            return record.getMessage()
        of = ", ".join(f"{count} {rule}" for rule, count in stats.items())
        return self._said(f"jobs to do: {self.total} ({of})" if self.total else "nothing to do")

    def _job_info(self, record) -> None:
        if not record.log or self.workflow.dryrun:
            return
        self.jobs[record.jobid] = job_name(record.rule_name, record.wildcards), time.monotonic()
        if self.workflow.local_exec:  # a cluster's plugin says which job was submitted
            timer = threading.Timer(WAIT, self._begun, [record.jobid])
            timer.daemon = True
            timer.start()

    def _begun(self, jobid: int) -> None:
        if (job := self.jobs.get(jobid)) and not self.stopped:
            print(self._said(f"{job[0]}: runs"), file=self.stream, flush=True)

    def _job_finished(self, record) -> str | None:
        name, began = self.jobs.pop(record.job_id, (None, 0))
        if name is None:
            return None
        self.done += 1
        took = clock(time.monotonic() - began)
        return self._said(f"{name}: done in {took} ({self.done} of {self.total})")

    def _job_error(self, record) -> str | None:
        name, began = self.jobs.pop(record.jobid, (record.rule_name, self.began))
        # a job on another machine could not say on this screen why
        why = "" if self.workflow.local_exec else _sentence(record.log)
        if self.stopped or (record.indent and not why):  # others of its submission went well
            return None
        why = why or (record.rule_msg and f"{record.rule_msg}; ") or ""
        took = clock(time.monotonic() - began)
        return self._said(f"{name}: failed after {took}; {why}all it said: {' '.join(record.log)}")

    def _group_error(self, record) -> str | None:
        jobs, logs = len(record.job_error_info), " ".join(record.aux_logs)
        return self._said(f"a submission of {jobs} jobs failed; {logs}")

    def _error(self, record) -> str | None:
        text = record.getMessage()
        if FINAL in text:
            return None
        if "marked for report but does not exist" in text:
            return f"{text.splitlines()[-1]} A report needs the --configfile of the run, too."
        if sentence := re.search(r"^config: .*", text, re.M):
            return sentence[0]  # without the places in the source that are listed with it
        if name := re.search(r"^No rule to produce ([\w-]+) \(", text, re.M):  # no path
            known = [rule.name for rule in self.workflow.rules]
            return f"{targets.unknown(self.workflow.globals['run'], name[1], known)}"
        if text.startswith("Traceback"):  # a disk that is full, a folder that is a file, a bug
            return f"{text.strip().splitlines()[-1]} (--verbose says where)"
        if not (ended := ENDED.search(text)):
            return text
        status, sent = ended.groups()
        self.stopped = self.stopped or status == "130" or sent == "SIGINT"
        if sent and not self.stopped:
            often = ", often because memory was short" if sent == "SIGKILL" else ""
            return self._said(f"a job was killed ({sent}{often})")
        return None

    # ---- what has no event ----

    def _message(self, record) -> str | None:
        text = record.getMessage()
        if text.startswith(SILENT) or text == self.last:  # some are said once a second
            return None
        self.last = text
        if text.startswith("Terminating processes on user request"):
            self.stopped = True
            return self._said("stopping")
        if text.startswith("Reasons:"):
            why = re.findall(r"^    (\w+):\n        (.*)", text, re.M)
            return "\n".join(f"{reason.replace('_', ' ')}: {rules}" for reason, rules in why)
        if text.startswith("Rules with provenance triggered jobs: "):
            return "settings or code changed: " + text.partition(": ")[2].strip().replace(" ", ", ")
        if text.startswith("This was a dry-run"):
            return "Nothing was started (-n)."
        if text.startswith("Trying to restart job"):
            return self._said("it is tried again")
        return self._end() if text.startswith("Elapsed time") else text

    def _end(self) -> str:
        took = clock(time.monotonic() - self.began)
        done = f"{self.done} of {self.total} jobs are done"
        if self.stopped:
            kept = f"{done} and kept; the same command goes on from there."
            return self._said(f"stopped after {took}: {kept}")
        if self.done < self.total:
            return self._said(f"failed (why stands above), {done} and kept; then the same command.")
        said = self._said(f"all is done in {took}, jobs: {self.total}")
        places = [place for place in ("tables", "figures", "scores") if (RESULTS / place).exists()]
        if not {"metrics", "table", "figure"} & {job.rule.name for job in self.workflow.dag.jobs}:
            return said  # of a run that made something else
        where = ", ".join(str(RESULTS / place) for place in places)
        commands = " && ".join(next_commands(self.workflow.workdir_init))
        return f"{said}\nResults: {where}\nNext: {commands}"


def next_commands(folder: str) -> list[str]:
    """What to type after a run: the report is asked for as the run was, with its config files."""
    show = [_command("nearnd"), "show", *([os.getcwd()] if os.getcwd() != folder else [])]
    report = [_command("snakemake"), "--report", path("report"), *sys.argv[1:]]
    return [shlex.join(show), shlex.join(report)]


def _command(name: str) -> str:
    """As it can be typed here: the one of this environment, with its folder if PATH lacks it."""
    here = Path(sys.executable).with_name(name)
    return name if shutil.which(name) or not here.exists() else os.path.relpath(here)


def _sentence(logs: list[str]) -> str:
    """The last error in a job's log: what a job on another machine said is not on this screen."""
    for file in logs:
        if Path(file).is_file():
            text = Path(file).read_text(encoding="utf-8", errors="replace")
            if found := re.findall(r"error: (.*)", text):
                return f"{found[-1]}; "
    return ""
