"""lightly's methods, which import torchvision.

PyPI's torchvision is built for CUDA. Beside a torch for CPUs its operators for boxes are missing,
and it fails to describe two that nothing here calls; this names them.
"""

import torch

if not torch.cuda.is_available():
    _names = torch.library.Library("torchvision", "FRAGMENT")
    for _name in ("nms", "qnms"):
        _names.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
