"""Load the champion from the registry."""
