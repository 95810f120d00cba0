"""What the pipeline is measured against, and the programs that measure it."""
