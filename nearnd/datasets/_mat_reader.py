"""A program: variables of a MATLAB file from standard input, as .npz without pickles to standard
output. `_mat.py` runs it.

A structure becomes one array for each of its fields, `<variable>/<field>`.
"""

import resource
import sys
from contextlib import suppress
from io import BytesIO

import numpy as np

LEAST, EXPANSION = 3 << 28, 8  # bytes, and times the file's size, that reading it may take


def plain(found) -> np.ndarray:
    """Cells of words or numbers as an array of words or numbers (N,)."""
    array = np.atleast_1d(np.array(np.atleast_1d(found).tolist()))
    if array.dtype.hasobject or array.ndim > 1:
        raise ValueError("cells of cells")
    return array


def main(names: list[str]) -> None:
    from scipy.io import loadmat  # before there is a limit

    content = sys.stdin.buffer.read()
    limit = LEAST + EXPANSION * len(content)  # what is packed inside may be far larger
    with suppress(ValueError, OSError):  # a system that has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    found = loadmat(BytesIO(content), squeeze_me=True)
    if missing := [name for name in names if name not in found]:
        there = [name for name in found if not name.startswith("__")]
        raise ValueError(f"no {', '.join(missing)}; it has {', '.join(there)}")
    arrays = {}
    for name in names:
        value = np.atleast_1d(found[name])
        if value.dtype.names:
            arrays |= {f"{name}/{field}": plain(value[field]) for field in value.dtype.names}
        else:
            arrays[name] = plain(value) if value.dtype.hasobject else value
    np.savez(sys.stdout.buffer, **arrays)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MemoryError:
        sys.exit("it takes far more memory than its size")
    except Exception as error:  # damaged files raise errors of many types
        sys.exit(f"{type(error).__name__}: {error}")
