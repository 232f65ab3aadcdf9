"""The catalogue: each search space is a YAML file in this folder.

The first comment of a file says what it is for; `autolr spaces` prints its first line.

>>> names()
['adamw', 'default', 'profiles', 'quick', 'rules', 'sgd']
>>> load_space("quick").names
('lr', 'schedule', 'warmup')
"""

from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from autolr.candidate_space import check_space, owned, unregistered
from autolr.errors import ConfigError, SpaceError, unknown_name
from autolr.space import Space, check_no_pairs, parse_space
from autolr.strict_yaml import Source, is_source, load_yaml, parse_yaml


def catalogue() -> dict[str, Traversable]:
    """Return the files of the search spaces that ship with autolr, by name, sorted."""
    entries = (files("autolr") / "search_spaces").iterdir()
    named = ((file.name.removesuffix(".yaml"), file) for file in entries)
    return dict(sorted((name, file) for name, file in named if name != file.name))


def load_space(
    space: Source,
    folder: Path | None = None,
    register: Callable[[], object] | None = None,
    *,
    takes_all: bool = False,
    takes: Callable[[str], bool] = lambda name: False,
) -> Space:
    """Return the checked space of a catalogue name, a path or a mapping.

    Args:
        space: A string that ends in .yaml or .yml is a path, another one a name.
        folder: Where relative paths start; None: the present folder.
        register: Called if the space names a rule or profile that is not registered yet.
        takes_all: As for `check_space`.
        takes: As there.

    Raises:
        SpaceError: If the catalogue has no such space, or it cannot work.
        ConfigError: If the file cannot be read.
    """
    if not is_source(space):
        raise ConfigError.of("space", space, "a name of the catalogue, a path or a mapping")
    if isinstance(space, Mapping):
        check_no_pairs(space)
        source, mapping = "space", load_yaml(space)
    elif isinstance(space, Path) or space.endswith((".yaml", ".yml")):
        path = (folder or Path()) / Path(space).expanduser()
        source, mapping = str(path), load_yaml(path)
    elif space in (known := catalogue()):
        source, mapping = f"space {space}", parse_yaml(known[space].read_text("utf-8"), space)
    else:
        raise SpaceError(unknown_name("search space", space, known) + ", or a path to a .yaml file")
    parsed = parse_space(mapping, source)
    if register is not None and unregistered(parsed):
        register()
    check_space(parsed, source, takes_all=takes_all, takes=takes)
    return owned(parsed)


def names() -> list[str]:
    """Return the names of the spaces in the catalogue, sorted."""
    return list(catalogue())


def text(name: str) -> str:
    """Return the YAML of a space in the catalogue, comments included.

    Raises:
        SpaceError: If the catalogue has no such space.
    """
    known = catalogue()
    if name not in known:
        raise SpaceError(unknown_name("search space", name, known))
    return known[name].read_text("utf-8")


def describe(name: str) -> str:
    """Return the first line of a space in the catalogue: what it is for.

    Raises:
        SpaceError: If the catalogue has no such space.

    >>> describe("quick")
    'A first look: few choices, for a handful of short trials.'
    """
    return text(name).partition("\n")[0].removeprefix("#").strip()
