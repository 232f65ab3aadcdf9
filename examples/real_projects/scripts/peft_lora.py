"""LoRA of PEFT: adapters of a frozen GPT-2, which continues other bytes than it was made for."""

from typing import Any

import torch
from lightning.pytorch import seed_everything
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

from examples.real_projects.fitted import Fitted
from examples.real_projects.scripts import hugging_face as hf

METRIC, SEARCH, SCHEDULED = "val_loss", {"monitor": "val_loss"}, False
RATE = 2e-4  # of the LoRA publication, for GPT-2
STEPS = 400
_CONTEXT = 32


def fit(callbacks: list[Any], max_steps: int, seed: int, rate: float = RATE) -> Fitted:
    """Train adapters of rank 8 in the attention, and the embeddings of bytes."""
    seed_everything(seed)
    config = GPT2Config(vocab_size=256, n_positions=_CONTEXT, n_embd=64, n_layer=2, n_head=4)
    adapters = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.05, target_modules=["c_attn"], fan_in_fan_out=True,
        modules_to_save=["wte"], task_type="CAUSAL_LM",
    )  # fmt: skip
    model = get_peft_model(GPT2LMHeadModel(config), adapters)
    (text,) = hf.library_files(["email"])
    windows = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    windows = windows[: len(windows) // _CONTEXT * _CONTEXT].view(-1, _CONTEXT)
    data = [{"input_ids": window, "labels": window} for window in windows]
    module = hf.HuggingFace(model, rate, warmup=None)
    return hf.train(module, (data[:-256], data[-256:]), callbacks, max_steps)
