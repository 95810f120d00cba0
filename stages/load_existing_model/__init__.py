"""Fetches the champion from the registry."""
