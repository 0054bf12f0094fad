"""Training (section IV): the loop, and what a long run needs around it."""

from tagvis_lite.clips import total_steps
from tagvis_lite.training.loop import (
    NonFiniteLossError,
    TrainingResult,
    learning_rate,
    step,
    train,
)
from tagvis_lite.training.set_up import check_training, chosen_precision
from tagvis_lite.training.validation import validate

__all__ = [
    "NonFiniteLossError",
    "TrainingResult",
    "check_training",
    "chosen_precision",
    "learning_rate",
    "step",
    "total_steps",
    "train",
    "validate",
]
