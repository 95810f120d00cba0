"""The models of a period: what its branch made, and the champion that a challenger is held against."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sodai.data.catalog import (
    CHALLENGER,
    CHAMPION,
    DECISION,
    DRIFT,
    LOAD,
    LOADED_MODEL,
    RETRAIN,
    RETRAINED_MODEL,
)
from sodai.data.periods import Period
from sodai.errors import ModelError, RegistryError
from sodai.model.compatibility import require_model_horizon
from sodai.model.registry import Registry
from sodai.model.trained_model import TrainedModel, load_model
from sodai.volume.volume import Volume


@dataclass(frozen=True)
class Contenders:
    """The models of a period and their folders, by role, and what the registry says of the champion.

    `champion` is the version that has the alias, None without one. `replaced` is told where an earlier run
    of the period trained that version and promoted it: the version that was champion before, empty without
    one. A challenger is held against the champion, or once more against the one that it replaced; `unfit`
    says why that cannot be used, if so.
    """

    folders: Mapping[str, Path]
    models: Mapping[str, TrainedModel]
    champion: str | None
    replaced: str | None
    unfit: str | None = None

    @property
    def versions(self) -> dict[str, str]:
        """The version of each role; of a champion that the period trained, as before its promotion."""
        if CHALLENGER not in self.models and self.champion and self.replaced:
            return {CHALLENGER: self.champion, CHAMPION: self.replaced}
        return {role: model.card["version"] for role, model in self.models.items()}


def contenders(volume: Volume, registry: Registry, period: Period, scratch: Path) -> Contenders:
    """The models to evaluate.

    Args:
        scratch: for the champion's files.

    Raises:
        InputError: what the branch made is for periods of another length.
        ModelError: it cannot be used.
    """
    loads = volume.read_json(DECISION, period.as_of)["branch"] == LOAD
    role, dataset, stage = (
        (CHAMPION, LOADED_MODEL, DRIFT) if loads else (CHALLENGER, RETRAINED_MODEL, RETRAIN)
    )
    folder = volume.existing(dataset, period.as_of)
    model = load_model(folder)
    require_model_horizon(model.card, period, folder, stage)
    champion = registry.champion()
    if champion is None:
        return Contenders({role: folder}, {role: model}, None, None)
    own = (champion.version, period.as_of.isoformat()) == (model.card["version"], model.card["as_of"])
    replaced = champion.replaced if own else None
    found = Contenders({role: folder}, {role: model}, champion.version, replaced)
    rival = champion.version if replaced is None else replaced
    return found if loads or not rival else _beside(found, registry, rival, scratch)


def _beside(found: Contenders, registry: Registry, version: str, scratch: Path) -> Contenders:
    """A challenger with the champion of that version, or with what makes it useless."""
    try:
        registry.download(version, scratch)
        model = load_model(scratch)
    except ModelError as error:
        return replace(found, unfit=str(error))
    except RegistryError as error:
        if version == found.champion:
            raise
        # Whoever was replaced may be deleted as a whole.
        return replace(found, unfit=str(error))
    folders, models = {**found.folders, CHAMPION: scratch}, {**found.models, CHAMPION: model}
    return replace(found, folders=folders, models=models)
