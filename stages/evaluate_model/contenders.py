"""The models that are compared: the challenger with the champion, or the loaded champion alone."""

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
    """The models of a period and the state of the registry.

    Attributes:
        folders, models: by role.
        champion: version with the alias champion; None without one.
        replaced: version that the champion replaced, empty if there was none; None unless an earlier run of
            this period trained and promoted the champion.
        rival_error: why the model that a challenger is compared with cannot be used, if so.
    """

    folders: Mapping[str, Path]
    models: Mapping[str, TrainedModel]
    champion: str | None
    replaced: str | None
    rival_error: str | None = None

    @property
    def versions(self) -> dict[str, str]:
        """Return the version of each role, for a champion that the period trained as before its promotion."""
        if CHALLENGER not in self.models and self.champion and self.replaced:
            return {CHALLENGER: self.champion, CHAMPION: self.replaced}
        return {role: model.card["version"] for role, model in self.models.items()}


def read_contenders(volume: Volume, registry: Registry, period: Period, scratch: Path) -> Contenders:
    """Read the model of the period's branch and, if it is a challenger, the rival that it is compared with.

    Args:
        volume: with the outputs of the branch.
        registry: of the pipeline.
        period: of the run.
        scratch: an empty folder for the files of the rival.

    Raises:
        InputError: the model of the branch is for periods of another length.
        ModelError: it cannot be used.
    """
    is_loaded = volume.read_json(DECISION, period.as_of)["branch"] == LOAD
    role, dataset, stage = (
        (CHAMPION, LOADED_MODEL, DRIFT) if is_loaded else (CHALLENGER, RETRAINED_MODEL, RETRAIN)
    )
    folder = volume.existing(dataset, period.as_of)
    model = load_model(folder)
    require_model_horizon(model.card, period, folder, stage)
    champion = registry.champion()
    if champion is None:
        return Contenders({role: folder}, {role: model}, None, None)
    is_own = (champion.version, period.as_of.isoformat()) == (model.card["version"], model.card["as_of"])
    replaced = champion.replaced if is_own else None
    contenders = Contenders({role: folder}, {role: model}, champion.version, replaced)
    # A challenger that is champion already is compared again with the version that it replaced.
    rival = champion.version if replaced is None else replaced
    return contenders if is_loaded or not rival else _with_rival(contenders, registry, rival, scratch)


def _with_rival(contenders: Contenders, registry: Registry, version: str, scratch: Path) -> Contenders:
    try:
        registry.download(version, scratch)
        model = load_model(scratch)
    except ModelError as error:
        return replace(contenders, rival_error=str(error))
    except RegistryError as error:
        if version == contenders.champion:
            raise
        # A replaced version may have been deleted.
        return replace(contenders, rival_error=str(error))
    folders, models = {**contenders.folders, CHAMPION: scratch}, {**contenders.models, CHAMPION: model}
    return replace(contenders, folders=folders, models=models)
