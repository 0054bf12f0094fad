"""Training (section IV): the loop, and what a long run needs around it."""

from tagvis_lite.training.loop import (
    NonFiniteLossError,
    TrainingResult,
    check_training,
    chosen_precision,
    learning_rate,
    step,
    total_steps,
    train,
    validate,
)

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
