"""The sections of a config, and which plain names of a space are among them.

>>> takes({"model": {}, "cli": "project.MyCLI"}, "classes"), takes({"model": {}}, "classes")
(True, False)
"""

from collections.abc import Mapping
from typing import Any

from autolr.errors import nearest
from autolr.names import OF_NO_PROFILE

CLI = "cli"  # the section with the user's own LightningCLI
OBJECTIVE = "objective"  # the section with a class path in place of model, data and trainer
FUNCTION = "function"  # the key of that section that names a Python function, as module:name
OF_LIGHTNING = ("model", "data", "trainer", "optimizer", "lr_scheduler")
OF_FIT = ("ckpt_path", "weights_only")  # arguments of Trainer.fit, which LightningCLI writes down
_OWN = (*OF_NO_PROFILE, "cooldown")  # names that may be meant by a similar one
_FIXED = ("trainer", "seed_everything", "tune", CLI, *OF_FIT)  # which the study sets or needs


def names_function(fit: Mapping[str, Any]) -> bool:
    """Return whether a config tunes a Python function.

    Args:
        fit: The config without `tune:`.
    """
    section = fit.get(OBJECTIVE)
    return isinstance(section, Mapping) and FUNCTION in section


def takes(fit: Mapping[str, Any], name: str) -> bool:
    """Return whether a plain name of the space, which no profile takes, is the user's own.

    A Python function takes any. Else it is a whole section, or an argument at the top level: one
    that the config has, or that a LightningCLI of the user's may have.

    Args:
        fit: The config without `tune:`.
        name: The name.
    """
    if OBJECTIVE in fit or name in _FIXED:
        return names_function(fit)
    if fit.get(CLI) is not None and nearest(name, _OWN) is None:
        return True
    return name in fit or name in OF_LIGHTNING
