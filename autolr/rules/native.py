"""Native rules: optimizers of other packages, unchanged, whose ``lr`` is the peak.

A rule is a row of a table. Its package is imported when its optimizer is built; the class there
documents formula and settings. D-Adaptation of Adan in pytorch_optimizer 4.1 is left out, and its
AdaGO not used, because they differ from their authors' code or their publication. Where a default
differs from the published one, the row has the published one.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from autolr.rules.catalogue import Peak, Record, add

_Row: TypeAlias = tuple[str, str, Peak, str, str]  # name, package:Class, peak, summary, source


def _offer(family: str, rows: Iterable[_Row], **common: Any) -> None:
    for name, optimizer, peak, summary, source in rows:
        package = re.split("[.:]", optimizer)[0]
        own = {
            "optimizer": optimizer,
            "package": "" if package in ("torch", "autolr") else package,
            **common,
        }
        add(Record(name, family, summary, source, peak, **own))


_ADAM = Peak(1e-3, 1e-5, 1e-1)
_ONE = Peak.fixed(1.0)
_FREE = "Defazio et al. 2024, arXiv:2405.15682"
_ESTIMATE = "Defazio & Mishchenko 2023, arXiv:2301.07733"
_BOUNDS = "Luo et al. 2019, arXiv:1902.09843"

# fmt: off
_offer("adaptive", (
    ("adamw", "torch.optim:AdamW", _ADAM, "Adam with weight decay apart from the gradient",
     "Loshchilov & Hutter 2019, arXiv:1711.05101"),
    ("radam", "torch.optim:RAdam", _ADAM, "Adam, rectified while its second moments are young",
     "Liu et al. 2020, arXiv:1908.03265"),
    ("adafactor", "torch.optim:Adafactor", Peak(1e-2, 1e-4, 1.0),
     "Factored second moments, steps relative to the weights",
     "Shazeer & Stern 2018, arXiv:1804.04235"),
    ("adabelief", "pytorch_optimizer:AdaBelief", _ADAM,
     "Adam with the variance of gradients around their mean",
     "Zhuang et al. 2020, arXiv:2010.07468"),
    ("adabound", "pytorch_optimizer:AdaBound", _ADAM,
     "Adam, bounded ever closer to SGD at final_lr x schedule", _BOUNDS),
    ("adamod", "pytorch_optimizer:AdaMod", _ADAM,
     "Adam, its steps at most their own long-term mean", "Ding et al. 2019, arXiv:1910.12249"),
    ("diffgrad", "pytorch_optimizer:DiffGrad", _ADAM,
     "Adam, slower where the gradient hardly changes", "Dubey et al. 2020, arXiv:1909.11015"),
    ("exadam", "pytorch_optimizer:EXAdam", _ADAM,
     "Adam, each moment's bias corrected by the other", "Adly 2024, arXiv:2412.20302"),
    ("yogi", "pytorch_optimizer:Yogi", Peak(1e-2, 1e-4, 1.0),
     "Adam, whose second moments fall slowly", "Zaheer et al. 2018, NeurIPS 31"),
))
_offer("adaptive", (
    ("amsbound", "pytorch_optimizer:AdaBound", _ADAM,
     "AdaBound with second moments that never fall", _BOUNDS),
), settings={"ams_bound": True})
_offer("adaptive", (
    ("adamp", "pytorch_optimizer:AdamP", _ADAM,
     "Adam, without the part of a step that only lengthens scale-invariant weights",
     "Heo et al. 2021, arXiv:2006.08217"),
))
_offer("direction", (
    ("lion", "pytorch_optimizer:Lion", Peak(1e-4, 1e-6, 1e-2), "The sign of a momentum",
     "Chen et al. 2023, arXiv:2302.06675"),
    ("muon", "autolr.rules.muon:Muon", _ADAM,
     "Orthogonalized momentum for weight matrices, AdamW for the rest",
     "Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982"),
    ("lars", "pytorch_optimizer:LARS", Peak(1.0, 1e-2, 1e2),
     "Momentum, each layer's step relative to its weights", "You et al. 2017, arXiv:1708.03888"),
))
_offer("direction", (
    ("adago", "autolr.rules.adago:AdaGO", Peak(1e-2, 1e-4, 1.0),
     "Muon's direction, each matrix's step over the length of its gradients so far",
     "Zhang et al. 2025, arXiv:2509.02981"),
), schedules=("constant", "wsd"))
_offer("direction", (
    ("lamb", "pytorch_optimizer:Lamb", _ADAM,
     "Adam, each layer's step relative to its weights", "You et al. 2020, arXiv:1904.00962"),
), settings={"adam_debias": True})  # else its first step is ten times as long as the publication's
_offer("schedule-free", (
    ("schedulefree_sgd", "schedulefree:SGDScheduleFreeClosure", Peak(1.0, 1e-2, 1e2),
     "SGD that averages its weights in place of a schedule", _FREE),
    ("schedulefree_adamw", "schedulefree:AdamWScheduleFreeClosure", Peak(2.5e-3, 1e-5, 1e-1),
     "AdamW that averages its weights in place of a schedule", _FREE),
    ("schedulefree_radam", "schedulefree:RAdamScheduleFreeClosure", Peak(2.5e-3, 1e-5, 1e-1),
     "RAdam that averages its weights in place of a schedule", _FREE),
), schedules=("constant",), needs=("closure",))
_offer("distance", (
    ("prodigy", "prodigyopt:Prodigy", _ONE,
     "Adam, its rate estimated from the distance to the solution",
     "Mishchenko & Defazio 2023, arXiv:2306.06101"),
), schedules=("cosine", "linear", "wsd"), one_rate=True)
_offer("distance", (
    ("dadapt_sgd", "dadaptation:DAdaptSGD", _ONE,
     "SGD, its rate from a lower bound of the distance to the solution", _ESTIMATE),
), one_rate=True, warning="a first step at a rate of 0, or with a gradient of 0, ends in a "
   "ZeroDivisionError of dadaptation: begin a warm-up above 0")
_offer("distance", (
    ("dadapt_adam", "dadaptation:DAdaptAdam", _ONE,
     "Adam, its rate from a lower bound of the distance to the solution", _ESTIMATE),
), one_rate=True)
_offer("distance", (
    ("dadapt_adagrad", "dadaptation:DAdaptAdaGrad", _ONE,
     "AdaGrad, its rate from a lower bound of the distance to the solution", _ESTIMATE),
), one_rate=True, moves_all=True)
_offer("distance", (
    ("dadapt_lion", "dadaptation:DAdaptLion", _ONE,
     "Lion, its rate from a lower bound of the distance to the solution", _ESTIMATE),
), one_rate=True, moves_all=True, warning="diverged in 2 of 3 workloads of examples/rules")
# fmt: on
