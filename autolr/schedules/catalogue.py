"""Registering a profile, and reading a schedule by the name of its profile."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Concatenate, ParamSpec, get_args, get_origin

from autolr.schedules import notation
from autolr.schedules.registry import Entry, formula_settings, register
from autolr.schedules.schedule import Schedule
from autolr.settings import Array

P = ParamSpec("P")


def profile(formula: Callable[Concatenate[Array, float, P], Array]) -> Callable[P, Schedule]:
    """Register a formula as the profile of its name, and return the profile's constructor.

    Experimental: may change in a minor version. The profile works wherever ours do, once its
    module is imported; ``examples/extending/triangle_profile.py`` is an example, and
    `autolr.testing.ProfileContract` has the tests that it must pass.

    The formula takes the steps ``k`` (real, shape (m,), within [0, n]), the length ``n`` > 0 of
    the profile in steps, and its settings, annotated with what `autolr.settings`
    offers; it returns the multipliers at ``k``. A setting called ``span`` is the schedule's
    own span. A formula may raise a ConfigError for a combination of settings: it is tried
    on a run of one step when a schedule is made.

    Args:
        formula: As above. Its name is the name of the profile, which must be free.

    Raises:
        TypeError: If another kind has the name, or an annotation has no check.
    """
    kind, parameters = formula.__name__, formula_settings(formula, skip=2)
    signature = inspect.Signature(list(parameters.values()))

    @functools.wraps(formula)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        span = bound.arguments.pop("span", None)
        return Schedule(kind, tuple(bound.arguments.items()), span=span)

    _show_settings(make, parameters)
    register(Entry(kind, parameters, formula, make=make))
    return make


def recipe(build: Callable[P, Schedule]) -> Callable[P, Schedule]:
    """Give a function that builds a schedule out of others a name in the catalogue.

    Its settings are checked before it is called, as those of a profile are.
    """
    parameters = formula_settings(build, skip=0)
    signature = inspect.Signature(list(parameters.values()))

    @functools.wraps(build)
    def make(*args: P.args, **kwargs: P.kwargs) -> Schedule:
        settings: dict[str, Any] = dict(entry.read(signature.bind(*args, **kwargs).arguments))
        return build(**settings)  # type: ignore[call-arg]  # the settings are all of P

    _show_settings(make, parameters)
    entry = Entry(build.__name__, parameters, None, make=make)
    register(entry)
    return make


def parse(value: object) -> Schedule:
    """Return the schedule that ``value`` describes.

    Args:
        value: A schedule, the name of a profile, or a mapping: what ``to_dict`` writes, or
            ``{"kind": name, **settings}``.

    Raises:
        ConfigError: If a kind or setting is unknown, missing or has a wrong value.

    >>> parse("cosine")
    cosine()
    >>> parse({"kind": "wsd", "cooldown": 0.3})
    warmup(0.05) | constant() | cooldown(0.3)
    """
    return value if isinstance(value, Schedule) else notation.schedule_from(value)


def _show_settings(
    make: Callable[..., Schedule], parameters: Mapping[str, inspect.Parameter]
) -> None:
    """Let help() and typing tools see the constructor's own signature, without the checks."""
    plain = [p.replace(annotation=_bare(p.annotation)) for p in parameters.values()]
    signature = inspect.Signature(plain, return_annotation=Schedule)
    make.__signature__ = signature  # type: ignore[attr-defined]
    make.__annotations__ = {p.name: p.annotation for p in plain} | {"return": Schedule}


def _bare(annotation: Any) -> Any:
    """Return an annotation without its checks."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    members = get_args(annotation)
    if type(None) in members:  # `Checked | None`
        return _bare(members[0]) | None
    return annotation
