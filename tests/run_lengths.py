"""Run lengths of a mask the slow way, for tests of everything that reads them."""

import numpy as np


def runs_of(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a mask down its columns, background first."""
    runs = [0]
    value = False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs
