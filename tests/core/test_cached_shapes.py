"""What the math libraries keep of shapes that were multiplied is bounded in our processes."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MANY_SHAPES = """
import os
from pathlib import Path
from lora_hub.core.processes import set_environment
set_environment()
import torch

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

def multiply(shapes):
    for tokens in shapes:
        torch.ops.mkldnn._linear_pointwise(torch.ones(tokens, 128), weight, None, "none", [], "")

weight = torch.ones(128, 128)
multiply(range(1, 100))
before = pages()
multiply(range(100, 500))
print((pages() - before) * os.sysconf("SC_PAGE_SIZE") // 1_000_000)
"""


def test_many_shapes_take_no_memory() -> None:
    # Without a bound the 400 shapes take 250 MB.
    own = {"LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"}
    environment = {name: value for name, value in os.environ.items() if name not in own} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MANY_SHAPES], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 50
