"""Metrics, baselines, closed periods, and the purchase set at the expected demand of a period."""
