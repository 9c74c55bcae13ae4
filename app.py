"""The page: `make run` starts it, and so does a Hugging Face Space. `python -m lora_hub app` is the same."""

import sys

from lora_hub.cli import main

if __name__ == "__main__":
    sys.exit(main(["app"]))
