"""Puts the repository on the path, so that a job in a conda environment finds the package, and
makes Ctrl-C the order to stop that a cluster gives: work is saved, and no traceback printed."""

import signal
import sys
from pathlib import Path

# here, since the imports that follow take seconds
signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
