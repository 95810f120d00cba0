"""Resource limits of the process, and parallel work in threads and worker processes."""
