"""Strict YAML: plain values only, 1e-4 is a float, no repeated key, bounded aliases."""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from autolr.disk import read_text
from autolr.errors import ConfigError
from autolr.quoting import quoted

Source: TypeAlias = str | Path | Mapping[str, Any]

_TAG = re.compile(
    r"tag:yaml\.org,2002:(null|bool|int|float|str|seq|map)"
)  # tags that build plain values
_FLOAT = r"[-+]?(\d[\d_]*\.[\d_]*([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d[\d_]*([eE][-+]?\d+)?)"
_MOST_NODES = 100_000  # far above any config; aliases can expand a few lines to billions
_DEEPEST = 50  # nested mappings and lists; jsonargparse needs several stack frames for each
_LARGEST = 2**1023  # of an int: the range of floats
_HALF = re.compile("[\ud800-\udfff]")  # a lone surrogate
_TOO_DEEP = f"nested too deep (more than {_DEEPEST} levels), or contains itself"


class _Loader(yaml.SafeLoader):
    """YAML as LightningCLI reads it (1e-4 is a float, a date a string), but strict.

    Only plain tags are known, so that a file cannot run code; a repeated key is an error.
    """

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        # before PyYAML's own limit, whose time grows as the square of the open brackets;
        # twice, as a merge key nests a list and a mapping for a level that then goes
        if self.flow_level >= 2 * _DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} is repeated"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return node

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _expanded(node, {})  # before merge keys are resolved, which expands aliases
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, LookupError, ValueError):  # !!int '', !!bool maybe
            kind = node.tag.rpartition(":")[2]
            problem = f"{quoted(node.value)} is no {kind}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None


_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or _TAG.fullmatch(tag)  # None: the constructor that refuses other tags
}
_Loader.yaml_implicit_resolvers = {
    letter: [pair for pair in pairs if not pair[0].endswith((":float", ":timestamp"))]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(rf"^({_FLOAT}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", re.ASCII),
    list("-+0123456789."),
)


def is_source(value: object) -> bool:
    """Return whether ``value`` has the type of a source: a mapping, a path, or a line of text."""
    if isinstance(value, str):
        return re.fullmatch(".+", value) is not None and "\0" not in value
    return isinstance(value, Mapping | Path)


def load_yaml(source: Source) -> dict[str, Any]:
    """Return the mapping in a YAML file, or a plain deep copy of a mapping.

    Raises:
        ConfigError: If the file cannot be read, is too large, is not UTF-8 or YAML, repeats a key,
            has a tag such as !!python/name, is no mapping, or has too many values once its aliases
            are expanded; or if a mapping holds a value that YAML does not have. The message names
            the line.
    """
    if isinstance(source, Mapping):
        return _checked(source, "config")
    if str(source).endswith(".py"):
        raise ConfigError(
            f"{source} is Python, and a config is YAML: autolr.tune(function, space) in a script "
            "tunes a function"
        )
    return parse_yaml(read_text(Path(source)), str(source))


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Return the mapping in a YAML text.

    Args:
        text: The text.
        source: Where it comes from; starts every error message.

    Raises:
        ConfigError: As `load_yaml`.
    """
    try:
        return _checked(yaml.load(text, _Loader), source)  # _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{source}{line}: {error.problem or error.context}") from None
    except RecursionError:
        raise ConfigError(f"{source}: {_TOO_DEEP}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: no valid YAML: {' '.join(str(error).split())}") from None


def _expanded(node: yaml.Node, sizes: dict[yaml.Node, int | None]) -> int:
    """Return how many nodes ``node`` has once its aliases are expanded.

    A few lines of aliases to lists of aliases can stand for billions of nodes.
    """
    if node in sizes:
        if (size := sizes[node]) is None:
            raise yaml.MarkedYAMLError(
                problem="the value contains itself", problem_mark=node.start_mark
            )
        return size
    sizes[node] = None  # None marks a node that is being counted: meeting it again is a cycle
    size = 1 + sum(_expanded(child, sizes) for child in _children(node))
    if size > _MOST_NODES:
        problem = f"must have at most {_MOST_NODES} values with its aliases written out, got more"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    sizes[node] = size
    return size


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _checked(value: object, source: str) -> dict[str, Any]:
    """Return a plain deep copy of a config."""
    if not isinstance(value, Mapping):
        raise ConfigError.of(source, value, "a mapping of names to values")
    return dict(_plain(value, source))


def _plain(value: object, where: str, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        raise ConfigError(f"{where.partition('.')[0]}: {_TOO_DEEP}")
    if isinstance(value, Mapping):
        return {
            _key(key, where): _plain(inner, f"{where}.{key}", depth + 1)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(inner, where, depth + 1) for inner in value]
    return _scalar(str(value) if isinstance(value, Path) else value, where)


def _scalar(value: object, where: str) -> bool | int | float | str | None:
    if isinstance(value, str) and _HALF.search(value):
        raise ConfigError.of(where, value, "text in UTF-8, which has no half characters")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ConfigError.of(where, value, "a number that a float can hold")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError.of(where, value, "what YAML can hold: mappings, lists, numbers, strings")


def _key(key: object, where: str) -> str | int | float | bool | None:
    if key is None or isinstance(key, str | int | float):
        return _scalar(key, f"a key of {where}")
    raise ConfigError.of(f"a key of {where}", key, "a string or a number")
