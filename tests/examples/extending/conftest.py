"""What an example registers stays in its own tests: others list the profiles and rules we ship."""

import sys
from collections.abc import Iterator

import pytest

import examples.extending
from autolr.rules import catalogue
from autolr.schedules import registry


@pytest.fixture(autouse=True, scope="module")
def only_registered_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
        patch.setattr(catalogue, "_RECORDS", dict(catalogue._RECORDS))
        yield
    for module in ("triangle_profile", "sign_rule"):  # the next import registers them again
        sys.modules.pop(f"examples.extending.{module}", None)
        vars(examples.extending).pop(module, None)
