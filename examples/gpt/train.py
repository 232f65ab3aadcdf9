"""Train a byte-level GPT on the Python standard library's source, with AutoLR attached.

    python examples/gpt/train.py [--steps 600] [--save-to DIR]

Nothing is downloaded: the text is the interpreter's own library.
"""

import argparse
import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from autolr.callbacks import AutoLR

CONTEXT = 64  # bytes that the model sees
BYTES = 4_000_000  # of text, at most


class Text(Dataset[Tensor]):
    """Windows of CONTEXT + 1 bytes, one after the other."""

    def __init__(self, text: bytes) -> None:
        self.bytes = torch.frombuffer(bytearray(text), dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.bytes) // CONTEXT - 1

    def __getitem__(self, index: int) -> Tensor:
        return self.bytes[index * CONTEXT : (index + 1) * CONTEXT + 1].long()


class Block(nn.Module):
    """Attention and a perceptron, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, time, width) to the same shape."""
        qkv = self.qkv(self.before_attention(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (batch, heads, time, width of a head) each
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        mixed: Tensor = x + self.mlp(self.before_mlp(x))
        return mixed


class GPT(LightningModule):
    """Predicts the next byte."""

    def __init__(self, width: int = 64, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.token, self.position = nn.Embedding(256, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256))

    def loss(self, window: Tensor) -> Tensor:
        """Return the mean cross-entropy, in nats a byte, of (batch, CONTEXT + 1) bytes."""
        x = self.token(window[:, :-1]) + self.position.weight
        logits = self.head(self.blocks(x))
        return F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())

    def training_step(self, batch: Tensor) -> Tensor:
        """Return the loss of a batch."""
        loss = self.loss(batch)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Tensor) -> None:
        """Log the loss of a batch."""
        self.log("val_loss", self.loss(batch), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW; its rate is AutoLR's to find."""
        return torch.optim.AdamW(self.parameters(), betas=(0.9, 0.95), weight_decay=0.1)


def standard_library() -> bytes:
    """Return the source of the top-level modules of the standard library, in order."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    return b"\n".join(path.read_bytes() for path in sorted(folder.glob("*.py")))[:BYTES]


def fit(callback: Callback, steps: int) -> float:
    """Train for ``steps`` optimizer steps; return the validation loss in nats a byte."""
    torch.set_num_threads(1)
    seed_everything(0, verbose=False)
    text = standard_library()
    cut = len(text) * 9 // 10
    train = DataLoader(Text(text[:cut]), batch_size=16, shuffle=True)
    val = DataLoader(Text(text[cut:]), batch_size=64)
    trainer = Trainer(
        max_steps=steps,
        max_epochs=-1,
        limit_val_batches=8,
        val_check_interval=steps,
        check_val_every_n_epoch=None,
        gradient_clip_val=1.0,
        callbacks=[callback],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(GPT(), train, val)
    return float(trainer.callback_metrics["val_loss"])


def main() -> None:
    """Train, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--save-to", type=Path, default=None, help="a folder for the result")
    arguments = parser.parse_args()

    autolr = AutoLR(save_to=arguments.save_to)
    val_loss = fit(autolr, arguments.steps)

    result = autolr.result
    print(result.probes.to_string(index=False))
    print(f"peak {result.peak:.3g}, {result.schedule}")
    print(f"val_loss {val_loss:.3f} nats a byte")
    print(f"price {result.price:.2f} runs ({result.probe_steps} probe steps)")


if __name__ == "__main__":
    main()
