"""Evaluate models and baselines on the newest closed period, and promote the challenger or not."""
