"""Tunes, trains, calibrates and registers a challenger."""
