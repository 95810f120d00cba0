"""Reads, checks and loads what the business dropped."""
