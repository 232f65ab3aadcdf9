"""Which projects there are: the script of each, and the environment that it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Project:
    """A project as it is run.

    Attributes:
        script: The module below ``scripts`` that trains.
        environment: The name of its file of requirements, and of the environment made of it.
    """

    script: str
    environment: str

    @property
    def module(self) -> str:
        """The script's name for ``import``."""
        return f"examples.real_projects.scripts.{self.script}"

    @property
    def file(self) -> Path:
        """The script's file."""
        return _HERE.joinpath("scripts", *self.script.split(".")).with_suffix(".py")

    @property
    def requirements(self) -> Path:
        """The pins of its environment."""
        return _HERE / "requirements" / f"{self.environment}.txt"


PROJECTS: Mapping[str, Project] = {
    "darts": Project("darts_nbeats", "darts"),
    "neuralforecast": Project("neuralforecast_nhits", "neuralforecast"),
    "pytorch-forecasting": Project("pytorch_forecasting_tft", "pytorch_forecasting"),
    "scvi-tools": Project("scvi_vae", "scvi"),
    "chemprop": Project("chemprop_mpnn", "chemprop"),
    "lightly-byol": Project("lightly.byol", "lightly"),
    "lightly-dino": Project("lightly.dino", "lightly"),
    "lightly-simclr": Project("lightly.simclr", "lightly"),
    "lightly-moco": Project("lightly.moco", "lightly"),
    "gpt2": Project("gpt2", "transformers"),
    "bert": Project("bert", "transformers"),
    "vit": Project("vit", "transformers"),
    "peft-lora": Project("peft_lora", "peft"),
    "hydra-layout": Project("hydra_layout.train", "lightning"),
    "lightning-gan": Project("lightning_examples.gan", "lightning"),
    "lightning-finetuning": Project("lightning_examples.finetuning", "lightning"),
    "lightning-dqn": Project("lightning_examples.dqn", "lightning"),
    "lightning-ppo": Project("lightning_examples.ppo", "lightning"),
    "timm": Project("timm_vit", "lightning"),
    "pyg-gcn": Project("pyg_gcn", "pyg"),
    "gluonts": Project("gluonts_deepar", "gluonts"),
    "anomalib": Project("anomalib_ganomaly", "anomalib"),
    "pytorch-tabular": Project("pytorch_tabular_embedding", "pytorch_tabular"),
}
