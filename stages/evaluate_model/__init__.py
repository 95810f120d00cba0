"""Holds models against the newest closed period and its baselines, and promotes or keeps."""
