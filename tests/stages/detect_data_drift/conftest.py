"""Imports Evidently for the tests of this folder: it asks NumPy and Litestar for what they deprecate."""

import warnings
from importlib import import_module

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("detect_data_drift.report")
