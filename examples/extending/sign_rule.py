"""A rule of one's own: steps grow while the gradient keeps its sign, and shrink where it turns.

``python -m examples.extending.sign_rule`` trains a small CNN on digits with it.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from lightning.pytorch import Trainer, seed_everything

from autolr.callbacks import ApplyRule
from autolr.rules import Answer, Memory, Peak, Rule, Statistics, rule
from autolr.settings import Real
from examples.digits.digits import DigitsCNN, DigitsData

Up = Annotated[float, Real(1)]
Down = Annotated[float, Real(0, 1, open="low")]


@rule(
    "sign",
    family="sign",
    peak=Peak(0.1, 1e-3, 10.0),
    source="Silva & Almeida 1990, Acceleration techniques for backpropagation, LNCS 412",
)
@dataclass(frozen=True, slots=True)
class Sign(Rule):
    """Each tensor's rate grows while its gradient keeps its sign, and shrinks where it turns.

        factor <- min(factor up, most)  if <g, u> > 0, u the last gradient
                  factor down           if <g, u> < 0
        step = rate factor

    The paper has one factor for each weight; here each tensor has one.

    Args:
        up: Growth of the factor in a step.
        down: What the factor shrinks by.
        most: Largest factor.

    >>> turned = Statistics(step=1, rate=0.1, loss=0.0, products={"g.u": np.array([2.0, -1.0])})
    >>> Sign(up=1.5, down=0.5).step(turned, {"factor": np.ones(2)})[0].round(6).tolist()
    [0.15, 0.05]
    """

    up: Up = 1.02
    down: Down = 0.95
    most: Up = 10.0
    needs: ClassVar = ("g.u",)
    per_tensor: ClassVar = True

    def step(self, statistics: Statistics, memory: Memory) -> Answer:
        """Return the step of each tensor, shape (tensors,), and the factors to remember."""
        sign = np.sign(statistics["g.u"])  # 0 at the first step
        change = np.where(sign > 0, self.up, np.where(sign < 0, self.down, 1.0))
        factor = np.minimum(memory.get("factor", 1.0) * change, self.most)
        return statistics.rate * factor, {"factor": factor}


def main(epochs: int = 5) -> float:
    """Train with the rule at its own peak, and return the validation accuracy."""
    seed_everything(0, verbose=False)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ApplyRule("sign")],
    )
    trainer.fit(DigitsCNN(), datamodule=DigitsData())
    return float(trainer.callback_metrics["val_acc"])


if __name__ == "__main__":
    print(f"val_acc {main():.3f}")
