"""Import of libraries whose import warns, because the tests turn every warning into an error."""

import warnings
from importlib import import_module


def import_evidently() -> None:
    """Import the drift report and with it Evidently, which uses deprecated names of NumPy and Litestar."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import_module("detect_data_drift.report")
