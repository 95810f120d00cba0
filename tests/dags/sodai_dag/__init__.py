"""Tests of the package that the DAG is built from."""
