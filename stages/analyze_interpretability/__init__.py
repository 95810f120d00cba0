"""Stage analyze_interpretability: explains the published model, as a whole and per recommendation."""
