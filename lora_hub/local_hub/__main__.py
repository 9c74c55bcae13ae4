"""`python -m lora_hub.local_hub --port P --dir D [--accounts FILE]`: run the embedded Hub alone."""

import sys

from .server import main

if __name__ == "__main__":
    sys.exit(main())
