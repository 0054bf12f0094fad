"""Seconds that `import tagvis_lite` takes beyond `import torch`, each in a new process.

python benchmarks/import_time.py
"""

from __future__ import annotations

import subprocess
import sys

from measuring import interleave, record

REPEATS = 7


def main() -> None:
    def importing(statement: str) -> None:
        subprocess.run([sys.executable, "-c", statement], check=True)

    seconds = interleave(
        {
            "torch": lambda: importing("import torch"),
            "torch and tagvis_lite": lambda: importing("import torch, tagvis_lite"),
        },
        REPEATS,
    )
    beyond = seconds["torch and tagvis_lite"] - seconds["torch"]
    print(f"import tagvis_lite: {beyond:.2f} s beyond import torch ({seconds['torch']:.2f} s)")
    record("import_time", {"beyond_torch_seconds": beyond, "seconds": seconds})


if __name__ == "__main__":
    main()
