"""The toy that the tests of faults spoil copies of."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # toy.py


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    from _stages import Toy

    return Toy(tmp_path_factory.mktemp("toy") / "toy")
