"""What one process may use, and work in parallel."""
