"""Compares this week with what the champion was trained on, and decides whether to train again."""
