"""The names of the parameters of a search space."""

_OF_THE_CANDIDATE = ("lr", "schedule", "rule")  # "lr.X" is a label X, not a path into the config
OF_NO_PROFILE = ("lr", "schedule", "warmup", "rule")  # a candidate's, not settings of its profile


def is_config_path(name: str) -> bool:
    """Return whether a parameter is a dotted path into the user's config.

    ``lr.X``, ``schedule.X`` and ``rule.X`` are not: they describe the candidate, as plain names do.

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
    """Return the head of a column: the last key of a path, unless a candidate has one of that name.

    >>> short("model.init_args.width"), short("lr.dog"), short("model.init_args.lr")
    ('width', 'lr.dog', 'model.init_args.lr')
    """
    last = name.rpartition(".")[2]
    return last if is_config_path(name) and last not in _OF_THE_CANDIDATE else name
