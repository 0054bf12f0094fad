"""From a `Video` to the `Clip` the network sees.

choice:  sample_indices (training)  or  spread_indices (inference, validation)
make:    prepare_frames, normalise  crop and resize; zero mean and unit variance
         make_clip                  flips, label maps and classes as well
order:   ClipDataset, clip_loader   the clips of a run, for torch.utils.data.DataLoader
"""

from tagvis_lite.clips.choice import sample_indices, spread_indices
from tagvis_lite.clips.make import make_clip, normalise, prepare_frames, to_device
from tagvis_lite.clips.order import (
    ClipDataset,
    ClipOrder,
    clip_generator,
    clip_loader,
    clips_per_step,
    total_steps,
)

__all__ = [
    "ClipDataset",
    "ClipOrder",
    "clip_generator",
    "clip_loader",
    "clips_per_step",
    "make_clip",
    "normalise",
    "prepare_frames",
    "sample_indices",
    "spread_indices",
    "to_device",
    "total_steps",
]
