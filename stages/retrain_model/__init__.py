"""Tune, train, calibrate and register a challenger."""
