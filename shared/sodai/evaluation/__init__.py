"""Metrics, rules to beat, the predicted purchase set and the demand it is scaled to."""
