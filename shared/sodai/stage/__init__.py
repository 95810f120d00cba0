"""The command around every stage: options, inputs, up-to-date check, run record."""
