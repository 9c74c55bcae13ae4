"""`python -m lora_hub.local_hub --port P --dir D [--accounts FILE]`: run the embedded Hub alone."""

from .server import main

raise SystemExit(main())
