"""Near-distribution novelty detection on images."""

__version__ = "0.3.0"


def __getattr__(name: str):
    """`Detector` when it is asked for: the workflow imports this package without it."""
    if name == "Detector":
        from nearnd.detector import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
