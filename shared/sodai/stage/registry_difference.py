"""The difference between the registry now and after an earlier run of a stage and its promotion."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sodai.model.registry_snapshot import RegistrySnapshot


def difference_of_registry(
    then: Mapping[str, Any],
    now: RegistrySnapshot,
    as_of: date,
    evaluation: Mapping[str, Any] | None,
    reads_champion: bool,
    reads_trainings: bool,
) -> str:
    """Describe what changed in the registry since an earlier run of a stage; empty if nothing did.

    The run of a period may train and promote, so its stages see another champion when they start again.
    The champion counts as unchanged while it is the one that evaluate_model promoted in that run.

    Args:
        then: the registry part of the stage's run record.
        now: the registry today.
        as_of: the period of the run.
        evaluation: run record of evaluate_model for the period; None if there is none.
        reads_champion: whether the stage depends on the champion.
        reads_trainings: whether it depends on when the newest training was.

    Raises:
        KeyError, TypeError, AttributeError: a record is damaged or was written by other code.
    """
    if now.identity != then["identity"]:
        return "it is another registry"
    if then["registered"].items() - now.versions.items():
        return "the version that it registered is gone"
    trained = newest_training(now, as_of)
    if reads_trainings and trained != then["newest_training"]:
        return f"the newest training before it was for {then['newest_training']}, is for {trained}"
    if not reads_champion:
        return ""
    expected = _champion_after(then["champion"], evaluation or {})
    return "" if now.champion == expected else f"the champion was {expected}, is {now.champion}"


def newest_training(registry: RegistrySnapshot, as_of: date) -> str | None:
    """Return the newest period before `as_of` that a version was trained for, as a run record stores it."""
    newest = registry.newest_training(as_of)
    return newest.isoformat() if newest else None


def _champion_after(seen: str | None, evaluation: Mapping[str, Any]) -> str | None:
    """Return the champion after the evaluation of the period, for a stage that saw the champion `seen`."""
    registry, result = evaluation.get("registry"), evaluation.get("result", {})
    if registry and result["promoted"]:
        promoted = str(result["published"]["version"])
        # evaluate_model saw the same champion, or it ran again after it had promoted its own.
        if registry["champion"] in (seen, promoted):
            return promoted
    return seen
