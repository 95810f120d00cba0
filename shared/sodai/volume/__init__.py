"""The shared volume: checked reads, atomic writes, locks and file hashes."""
