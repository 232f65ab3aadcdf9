"""Names of the parameters of a search space, and what they stand for."""

_OF_THE_CANDIDATE = ("lr", "schedule", "rule")  # a name behind their dot is no key of a config


def is_config_path(name: str) -> bool:
    """Return whether a parameter is the user's own: a dotted path into the config.

    ``lr.X``, ``schedule.X`` and ``rule.X`` are not, as the plain names are not: they describe the
    candidate.

    >>> [name for name in ("lr", "lr.dog", "rule.alpha", "model.width") if is_config_path(name)]
    ['model.width']
    """
    return "." in name and meaning(name) not in _OF_THE_CANDIDATE


def meaning(name: str) -> str:
    """Return what a parameter sets: the part of its name before the first dot.

    >>> meaning("lr.dog"), meaning("lr")
    ('lr', 'lr')
    """
    return name.partition(".")[0]


def plain(name: str) -> str:
    """Return ``lr`` for ``lr.X`` and ``schedule`` for ``schedule.X``, another name as it is.

    A candidate has one of each at most. The settings of its rule, ``rule.X``, keep their names.

    >>> plain("lr.dog"), plain("rule.alpha")
    ('lr', 'rule.alpha')
    """
    return meaning(name) if meaning(name) in ("lr", "schedule") else name


def short(name: str) -> str:
    """Return a name for the head of a column: the last key of a path, the whole of another name.

    >>> short("model.init_args.width"), short("lr.dog")
    ('width', 'lr.dog')
    """
    return name.rpartition(".")[2] if is_config_path(name) else name
