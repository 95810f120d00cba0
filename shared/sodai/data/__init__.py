"""Definitions of data: catalog, column contracts, periods, features."""
