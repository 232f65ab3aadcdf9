"""A study whose space grew: what is stored of its trials' parameters is brought to the new space.

Optuna refuses a study in which a parameter's choices change, and samples a parameter alone where
its range did. It stores a choice by its place, and choices are only ever added behind the others.
"""

from collections.abc import Iterable

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.storages._rdb.models import (
    TrialModel,
    TrialParamModel,
    TrialSystemAttributeModel,
)
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import FrozenTrial

from autolr.space import Choice, Domain, Space

_EVOLVED = "cma:"  # attributes in which CMA-ES keeps its state, in units of the former ranges


def widen(
    study: optuna.Study, trials: Iterable[FrozenTrial], space: Space, names: Iterable[str]
) -> None:
    """Store the present distributions of parameters with every trial; all of it or nothing.

    Args:
        study: Of an SQL storage, open.
        trials: All of its trials, as this process keeps them: they are changed.
        space: The space that grew.
        names: The parameters that did.
    """
    present = {name: distribution_of(space.domains[name]) for name in names}
    backend = study._storage._backend  # type: ignore[attr-defined]
    with _create_scoped_session(backend.scoped_session) as session:
        own = session.query(TrialModel.trial_id).filter(TrialModel.study_id == study._study_id)
        for name, distribution in present.items():
            session.query(TrialParamModel).filter(
                TrialParamModel.param_name == name, TrialParamModel.trial_id.in_(own)
            ).update(
                {"distribution_json": distribution_to_json(distribution)},
                synchronize_session=False,
            )
        session.query(TrialSystemAttributeModel).filter(
            TrialSystemAttributeModel.key.startswith(_EVOLVED),
            TrialSystemAttributeModel.trial_id.in_(own),
        ).delete(synchronize_session=False)
    for trial in trials:
        trial.distributions = {
            name: present.get(name, known) for name, known in trial.distributions.items()
        }
        attrs = trial.system_attrs.items()
        trial.system_attrs = {k: v for k, v in attrs if not k.startswith(_EVOLVED)}


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return the distribution that Optuna makes of a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.labels)
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
