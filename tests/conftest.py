"""Tests in several processes at once (`make test`): a thread and whole files for each."""

import os
import sys

import pytest
from threadpoolctl import threadpool_limits

SEVERAL = "PYTEST_XDIST_WORKER" in os.environ
if SEVERAL:  # before torch is loaded
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items):
    """Files that run the workflow take minutes: begun last, one would leave the others idle."""
    items.sort(key=lambda item: not hasattr(item.module, "copy_of_the_repository"))


@pytest.fixture(autouse=True)
def one_thread():
    """A model folder is scored in its own number of threads (jobs/threads.py): what comes after it
    would have them too, and on the cores that are there wait for itself ten times as long."""
    yield
    torch = sys.modules.get("torch")
    if SEVERAL and torch and torch.get_num_threads() != 1:
        threadpool_limits({"blas": 1, "openmp": 1})
        torch.set_num_threads(1)
