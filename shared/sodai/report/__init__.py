"""The frame, style and charts of every HTML page."""
