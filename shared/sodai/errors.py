"""Expected failures: each is one line that says what, where, what was expected and what to do."""

# What to do where only a new model helps.
TRAIN_AGAIN = "train again: make run RETRAIN=1, or force_retrain in Airflow's form"


class SodaiError(Exception):
    """An expected failure; a stage that raises it ends with exit code 1 and a retry is pointless."""


class InputError(SodaiError):
    """What the business dropped, or what an option says, cannot be used."""


class ContractError(SodaiError):
    """A table does not have the columns, types or values that its data set promises."""


class VolumeError(SodaiError):
    """The shared volume cannot be read or written: missing, read-only, full or in use."""


class ModelError(SodaiError):
    """A model is missing, unreadable, or was trained on other features."""


class RegistryError(SodaiError):
    """MLflow does not answer, or holds something other than expected."""


def first_line(error: BaseException) -> str:
    """What another library's error says, as far as its first line; the name of its type if nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
