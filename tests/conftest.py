"""Tests in several processes at once (`make test`): a thread and whole files for each."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is loaded
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items):
    """Files that run the workflow take minutes: begun last, one would leave the others idle."""
    items.sort(key=lambda item: not hasattr(item.module, "copy_of_the_repository"))
