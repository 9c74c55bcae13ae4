"""`python -m lora_hub ...`: see cli/shell.py."""

import sys

from lora_hub.cli import main

sys.exit(main())
