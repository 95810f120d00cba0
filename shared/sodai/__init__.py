"""What the stages of the SodAI weekly pipeline must agree on."""

__version__ = "1.0.0"
