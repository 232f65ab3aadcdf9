"""torchvision can be imported beside a torch without CUDA: import this before Lightning.

PyPI's torchvision is built for CUDA. Beside a torch for CPUs its operators for boxes are missing,
and it fails while it describes two of them that nothing here calls; this names the two.
"""

import torch

try:
    import torchvision  # noqa: F401 - most environments have none
except ModuleNotFoundError:
    pass
except RuntimeError:
    _names = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for _name in ("nms", "qnms"):
        _arguments = "Tensor dets, Tensor scores, float iou_threshold"
        _names.define(f"{_name}({_arguments}) -> Tensor")  # type: ignore[no-untyped-call]
