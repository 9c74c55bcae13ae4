"""`python -m lora_hub.local_hub [serve|stop|fsck|gc|backup] ...`: the embedded Hub alone, without the app's own command line."""

import argparse
import sys

from .server import HubError, add_arguments, start

parser = argparse.ArgumentParser(prog="lora_hub hub", description="The embedded Hub: a small Hub on this machine.")
add_arguments(parser)
try:
    start(parser.parse_args())
except HubError as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    sys.exit(130)
