"""The shared volume: checked reads, atomic writes, locks, hashes."""
