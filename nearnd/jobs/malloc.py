"""Freed memory is kept for the next arrays."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt in malloc.h


def keep_freed_memory() -> None:
    """Tells glibc to keep what this process frees; does nothing under another C library.

    By default large arrays go back to the system when they are freed, and the next one of the same
    size is mapped in anew, page by page: 12 to 17 % of a training step of the score network on two
    cores (benchmarks/score_sde.py).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS and musl have none, Windows no CDLL(None)
        return
    mallopt(MMAP_THRESHOLD, 2**25)  # the largest that glibc takes
    mallopt(TRIM_THRESHOLD, 2**31 - 1)
