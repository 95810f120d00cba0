"""The package that the DAG is built from: parameters, settings, limits and operators."""
