"""Imports of libraries that warn while they are imported, where every warning is an error."""

import warnings
from importlib import import_module


def import_evidently() -> None:
    """Import Evidently with the stage that uses it: it asks NumPy and Litestar for what they deprecate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import_module("detect_data_drift.report")
