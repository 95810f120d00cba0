"""Expected failures, each a one-line message: what was found, where, what was expected and what to do."""

# Advice for failures that only a new model resolves.
TRAIN_AGAIN = "train again: make run RETRAIN=1, or force_retrain in Airflow's form"


class SodaiError(Exception):
    """An expected failure: the stage exits with code 1 and a retry is pointless."""


class InputError(SodaiError):
    """Raw files or option values that cannot be used."""


class ContractError(SodaiError):
    """A table that breaks the contract of its data set."""


class VolumeError(SodaiError):
    """A shared volume that cannot be read or written: missing, read-only, full or in use."""


class ModelError(SodaiError):
    """A model that is missing, unreadable or trained on other features."""


class RegistryError(SodaiError):
    """An MLflow registry that does not answer or has unexpected content."""


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, or the name of its type if it has no message."""
    return (str(error).splitlines() or [type(error).__name__])[0]
