"""Puts the repository on the path, so that a job in a conda environment finds the package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
