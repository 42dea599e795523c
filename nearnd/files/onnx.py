"""The tensors in an ONNX file, read out of its bytes; and whether a file may be handed to a library
that computes what it says.

It is written as protocol buffers (protobuf.dev/programming-guides/encoding); the numbers of the
fields are those of onnx.proto.
"""

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np

GRAPH, FUNCTION = 7, 25  # fields of a model
NODE, INITIALIZER, SPARSE = 1, 5, 15  # of a graph
OPERATOR, ATTRIBUTE, DOMAIN = 4, 5, 7  # of a node
NESTED = (6, 11)  # of an attribute: a graph, graphs
HELD, HELD_SPARSE = (5, 10), (22, 23)  # a tensor, tensors
DIMS, TYPE, NAME, RAW, EXTERNAL = 1, 2, 8, 9, 13  # of a tensor
FLOAT = 1  # a type
BYTES = {1: 8, 5: 4}  # of a value by how it is written; 0: a number, 2: a length comes first
FIELDS, TENSORS = 100, 10_000  # of one tensor, of a file


def tensors(content: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors that a model brings with it, by name, in the order of the file.

    ValueError if it is cut off, damaged, no such file, or a number is not finite.
    """
    found: dict[str, np.ndarray] = {}
    try:
        for graph in _values(memoryview(content), GRAPH):
            for tensor in _values(graph, INITIALIZER):
                parts = list(islice(_fields(tensor), FIELDS))
                one, shape = dict(parts), [value for field, value in parts if field == DIMS]
                if one[TYPE] != FLOAT:
                    continue
                array, name = np.frombuffer(one[RAW], "<f4"), str(one[NAME], "utf-8")
                if math.prod(shape) != len(array) or not np.isfinite(array).all():
                    raise ValueError(f"{name} has {len(array)} numbers for {shape}, or odd ones")
                found[name] = array.reshape(shape).astype(np.float32)
                if len(found) > TENSORS:
                    raise ValueError(f"it has more than {TENSORS} tensors")
    except (KeyError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"it is cut off, damaged or no ONNX file ({error!r})") from error
    return found


def refuse(content: bytes) -> None:
    """ValueError unless a model is one graph of ONNX's own operators on tensors in the file: no
    loops, no functions, none of other makers, nothing that lies in a file beside it."""
    graphs = 0
    try:
        for field, graph in _fields(memoryview(content)):
            if field == FUNCTION:
                raise ValueError("it has functions of its own")
            if field != GRAPH:
                continue
            graphs += 1
            for kind, part in _fields(graph):
                if kind == NODE:
                    _refuse_node(part)
                elif kind == SPARSE:
                    raise ValueError("it has sparse tensors")
                elif kind == INITIALIZER:
                    _refuse_external(part)
    except (IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"it is cut off, damaged or no ONNX file ({error!r})") from error
    if graphs != 1:
        raise ValueError(f"it is no ONNX file: it has {graphs} graphs")


def _refuse_node(node: memoryview) -> None:
    parts = list(islice(_fields(node), TENSORS))
    if len(parts) == TENSORS:  # what follows would not be looked at
        raise ValueError(f"one of its operators has {TENSORS} parts or more")
    name = next((bytes(value) for field, value in parts if field == OPERATOR), b"")
    name = name.decode("ascii", "replace")
    if any(field == DOMAIN and bytes(value) not in (b"", b"ai.onnx") for field, value in parts):
        raise ValueError(f"its operator {name} is none of ONNX's own")
    for field, attribute in parts:
        for nested, held in _fields(attribute) if field == ATTRIBUTE else ():
            if nested in NESTED:
                raise ValueError(f"its operator {name} has graphs inside")
            if nested in HELD_SPARSE:
                raise ValueError("it has sparse tensors")
            if nested in HELD:
                _refuse_external(held)


def _refuse_external(tensor: memoryview) -> None:
    if EXTERNAL in (field for field, _ in _fields(tensor)):
        raise ValueError("some of its tensors lie in another file")


def _values(data: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(data) if field == wanted)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: (number of the field, number or bytes)."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        value, at = (0, at) if key & 7 in BYTES else _number(data, at)
        if key & 7:
            size = BYTES[key & 7] if key & 7 != 2 else value
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise IndexError(f"{size} bytes are announced")
        yield key >> 3, value


def _number(data: memoryview, at: int) -> tuple[int, int]:
    """A whole number, seven bits in each byte, the lowest first; and where it ends."""
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise IndexError("a number without end")
