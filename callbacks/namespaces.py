"""The one place where Lightning is imported, under either of its names.

`lightning.pytorch` and `pytorch_lightning` are one release with two sets of classes; a Trainer of
one takes no module of the other. What is imported here is of the one that is loaded already, of
`lightning.pytorch` where none is; this package never loads the other one. `either` gives a class of
both where both are in use, and the callbacks of this package are callbacks of both.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from lightning_utilities.core.overrides import is_overridden as _is_overridden
from lightning_utilities.core.rank_zero import rank_zero_info as rank_zero_info
from lightning_utilities.core.rank_zero import rank_zero_only as rank_zero_only
from lightning_utilities.core.rank_zero import rank_zero_warn as rank_zero_warn
from typing_extensions import override

_FABRICS = {"lightning.pytorch": "lightning.fabric", "pytorch_lightning": "lightning_fabric"}
_OLD_ONLY = "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules

if TYPE_CHECKING:
    from lightning.pytorch.cli import LightningCLI as LightningCLI

if TYPE_CHECKING or not _OLD_ONLY:
    from lightning.fabric.utilities.data import _set_sampler_epoch
    from lightning.fabric.utilities.exceptions import (
        MisconfigurationException as MisconfigurationException,
    )
    from lightning.pytorch import Callback as _Callback
    from lightning.pytorch import LightningModule as LightningModule
    from lightning.pytorch import Trainer as Trainer
    from lightning.pytorch.callbacks import BaseFinetuning as BaseFinetuning
    from lightning.pytorch.callbacks import (
        GradientAccumulationScheduler as GradientAccumulationScheduler,
    )
    from lightning.pytorch.callbacks import ModelCheckpoint as ModelCheckpoint
    from lightning.pytorch.callbacks import ProgressBar as ProgressBar
    from lightning.pytorch.callbacks import StochasticWeightAveraging as StochasticWeightAveraging
    from lightning.pytorch.callbacks import WeightAveraging as WeightAveraging
    from lightning.pytorch.loggers import Logger as Logger
    from lightning.pytorch.loops.optimization.automatic import ClosureResult as ClosureResult
    from lightning.pytorch.profilers import PassThroughProfiler as PassThroughProfiler
    from lightning.pytorch.strategies import DDPStrategy as DDPStrategy
    from lightning.pytorch.strategies import DeepSpeedStrategy as DeepSpeedStrategy
    from lightning.pytorch.strategies import FSDPStrategy as FSDPStrategy
    from lightning.pytorch.strategies import ModelParallelStrategy as ModelParallelStrategy
    from lightning.pytorch.strategies import SingleDeviceStrategy as SingleDeviceStrategy
    from lightning.pytorch.strategies import Strategy as Strategy
    from lightning.pytorch.utilities.data import extract_batch_size as extract_batch_size
    from lightning.pytorch.utilities.exceptions import SIGTERMException as SIGTERMException
    from lightning.pytorch.utilities.signature_utils import (
        is_param_in_hook_signature as is_param_in_hook_signature,
    )
    from lightning.pytorch.utilities.types import STEP_OUTPUT as STEP_OUTPUT
    from lightning.pytorch.utilities.types import LRSchedulerConfig as LRSchedulerConfig
else:
    from lightning_fabric.utilities.data import _set_sampler_epoch
    from lightning_fabric.utilities.exceptions import (
        MisconfigurationException as MisconfigurationException,
    )
    from pytorch_lightning import Callback as _Callback
    from pytorch_lightning import LightningModule as LightningModule
    from pytorch_lightning import Trainer as Trainer
    from pytorch_lightning.callbacks import BaseFinetuning as BaseFinetuning
    from pytorch_lightning.callbacks import (
        GradientAccumulationScheduler as GradientAccumulationScheduler,
    )
    from pytorch_lightning.callbacks import ModelCheckpoint as ModelCheckpoint
    from pytorch_lightning.callbacks import ProgressBar as ProgressBar
    from pytorch_lightning.callbacks import StochasticWeightAveraging as StochasticWeightAveraging
    from pytorch_lightning.callbacks import WeightAveraging as WeightAveraging
    from pytorch_lightning.loggers import Logger as Logger
    from pytorch_lightning.loops.optimization.automatic import ClosureResult as ClosureResult
    from pytorch_lightning.profilers import PassThroughProfiler as PassThroughProfiler
    from pytorch_lightning.strategies import DDPStrategy as DDPStrategy
    from pytorch_lightning.strategies import DeepSpeedStrategy as DeepSpeedStrategy
    from pytorch_lightning.strategies import FSDPStrategy as FSDPStrategy
    from pytorch_lightning.strategies import ModelParallelStrategy as ModelParallelStrategy
    from pytorch_lightning.strategies import SingleDeviceStrategy as SingleDeviceStrategy
    from pytorch_lightning.strategies import Strategy as Strategy
    from pytorch_lightning.utilities.data import extract_batch_size as extract_batch_size
    from pytorch_lightning.utilities.exceptions import SIGTERMException as SIGTERMException
    from pytorch_lightning.utilities.signature_utils import (
        is_param_in_hook_signature as is_param_in_hook_signature,
    )
    from pytorch_lightning.utilities.types import STEP_OUTPUT as STEP_OUTPUT
    from pytorch_lightning.utilities.types import LRSchedulerConfig as LRSchedulerConfig

set_sampler_epoch = _set_sampler_epoch

LOGGERS = (*_FABRICS, *_FABRICS.values())
"""Names of the loggers of Python's under which Lightning prints."""

T = TypeVar("T")


class Callback(_Callback):
    """A callback of each namespace that is loaded, now or later."""


def either(kind: type[T]) -> tuple[type[T], ...]:
    """Return a class of Lightning's with its twin in the other namespace, where that is loaded.

    For ``isinstance`` and ``except``.
    """
    for old, new in _renamings():
        if kind.__module__.startswith(f"{old}."):
            module = sys.modules.get(kind.__module__.replace(old, new, 1))
            twin = getattr(module, kind.__name__, None)
            return (kind,) if twin is None else (kind, twin)
    return (kind,)


def is_overridden(hook: str, module: LightningModule) -> bool:
    """Return whether a module has a hook of its own, whichever namespace it derives from.

    Args:
        hook: The name of the hook.
        module: The module.
    """
    bases = either(LightningModule)
    parent = next(cls for cls in type(module).__mro__ if cls in bases)
    return _is_overridden(hook, module, parent)


def namespace_of(cls: type) -> str | None:
    """Return the name under which a class derives from Lightning; None if it does not."""
    for base in cls.__mro__:
        for name in _FABRICS:
            if base.__module__.startswith(f"{name}."):
                return name
    return None


def cli_of(namespace: str) -> "type[LightningCLI]":
    """Return the LightningCLI of a namespace, which is loaded if it is not yet."""
    cli: type[LightningCLI] = importlib.import_module(f"{namespace}.cli").LightningCLI
    return cli


def clis() -> "list[type[LightningCLI]]":
    """Return the LightningCLI of each namespace that is loaded with one."""
    modules = (sys.modules.get(f"{name}.cli") for name in _FABRICS)
    return [module.LightningCLI for module in modules if module is not None]


def _renamings() -> list[tuple[str, str]]:
    lightning, old = _FABRICS
    pairs = [(lightning, old), (_FABRICS[lightning], _FABRICS[old])]
    return pairs + [(b, a) for a, b in pairs]


def _join(namespace: str) -> bool:
    """Have `Callback` derive from that of a namespace, if that is loaded."""
    theirs = getattr(sys.modules.get(f"{namespace}.callbacks.callback"), "Callback", None)
    if theirs is None:
        return False
    if theirs not in Callback.__bases__:
        Callback.__bases__ = (*Callback.__bases__, theirs)
    return True


class _Latecomer(MetaPathFinder):
    """Notices when a namespace is imported after this package; it finds no module itself.

    A Trainer and a LightningCLI check that a callback is of their own namespace.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> Any:
        if fullname.startswith(f"{self._namespace}.") and _join(self._namespace):
            sys.meta_path.remove(self)


for _name in _FABRICS:
    if not _join(_name):
        sys.meta_path.insert(0, _Latecomer(_name))
