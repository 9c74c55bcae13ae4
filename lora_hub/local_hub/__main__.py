"""`python -m lora_hub.local_hub [serve|stop|fsck|gc|backup] ...`: the embedded Hub alone, without the app's own command
line."""

import argparse
import os
import sys

from ..core.errors import HubError, SpecError
from .server import add_arguments, start

os.umask(0o077)  # private repositories, and the token, are for who runs it alone
parser = argparse.ArgumentParser(prog="lora_hub hub", description="The embedded Hub: a small Hub on this machine.")
add_arguments(parser)
try:
    start(parser.parse_args())
except (HubError, SpecError) as error:
    print(error, file=sys.stderr)
    sys.exit(2 if isinstance(error, SpecError) else 1)
except KeyboardInterrupt:
    sys.exit(130)
