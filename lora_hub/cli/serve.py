"""The shell's `serve`: the organization's adapters of one base behind OpenAI's wire, until it is told to end."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli.options import connected_hub, read_org
from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _
from lora_hub.people import LOCAL

# Keys beside those of --key-file, with commas between them.
KEYS = "LORA_HUB_KEYS"
# That an engine asks for.
ENGINE_KEY = "LORA_HUB_ENGINE_KEY"
MB = 1 << 20


def serve(options: argparse.Namespace) -> None:
    """Serves until the process is told to end. Raises SpecError, BaseError, HubError, LoraHubError."""
    from lora_hub import serve as serving

    org = read_org(options.org)
    # no process that is started from here gets them
    also, engine_key = os.environ.pop(KEYS, ""), os.environ.pop(ENGINE_KEY, "")
    if not settings.is_loopback(options.host) and options.key_file is None and not also:
        raise SpecError(
            _("Other machines reach {host}, and no keys are given."),
            _("Give --key-file, or listen on 127.0.0.1."),
            host=options.host,
        )
    with connected_hub(options.screen):
        from lora_hub import hub, use_cases
        from lora_hub.models import OwnShelf

        keys = serving.read_keys(
            options.key_file,
            also,
            token=hub.own_token(),
            a_minute=options.per_minute,
            at_once=options.at_once,
        )
        base = use_cases.find_base(LOCAL, options.base)
        shelf = OwnShelf(options.base, org=org, adapters=options.adapter, most_disk=options.disk_mb * MB)
        shelf.look()
        options.screen.say(
            _(
                "Adapters that were fetched may take {most:,} MB of the disk (--disk-mb); those asked least recently "
                "go first.",
                most=options.disk_mb,
            )
        )
        options.screen.say(_("Loading {base} …", base=base.title or base.id))
        engine = _engine(options, base, engine_key)
        engine.warm(shelf.base(LOCAL))
        shelf.keep_fresh(engine.folders)
        models = len(shelf.names(LOCAL))

        def ready(address: str) -> None:
            print(f"LoRA Hub serves {base.id} and its adapters ({models}) at {address}", flush=True)

        try:
            serving.serve(shelf, engine, keys, host=options.host, port=options.port, ready=ready)
        finally:
            shelf.close()


def _engine(options: argparse.Namespace, base: Any, key: str) -> Any:
    if not options.engine:
        from lora_hub.models import LocalEngine

        return LocalEngine.opened(options.most_adapters, options.adapter_mb * MB)
    from lora_hub.answering import loading
    from lora_hub.answering.adapter_tokenizer import AdapterTokenizers
    from lora_hub.serve import VllmEngine

    if not settings.is_address(options.engine):
        raise SpecError(
            _("{where} is {url!r}, which is no address."),
            _("Give it whole, as http://127.0.0.1:8000."),
            where="--engine",
            url=options.engine[:200],
        )
    return VllmEngine(
        options.engine,
        AdapterTokenizers(loading.load_tokenizer(base)),
        key=key,
        sends_repos=options.engine_adapters == "repos",
        most_loaded=options.most_adapters,
        most_bytes=options.adapter_mb * MB,
    )


def add_serving(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("--base", default="built-in", help=say(_("base model: id or folder (default: built-in)")))
    command.add_argument("--org", default="", help=say(_("organization (default: LORA_HUB_ORG or lora-hub)")))
    command.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="A",
        help=say(
            _("only this one: a repo id, a run or a folder; may be repeated (default: all of the organization's)")
        ),
    )
    command.add_argument("--host", default="127.0.0.1", help=say(_("IP address to listen on (default: 127.0.0.1)")))
    command.add_argument("--port", type=_port, default=8000, help=say(_("port; 0: any free one (default: 8000)")))
    command.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=say(_("keys that may ask, one a line with a name before it if you like (also: LORA_HUB_KEYS)")),
    )
    command.add_argument(
        "--per-minute", type=_count, default=0, metavar="N", help=say(_("requests a minute of each key (default: 120)"))
    )
    command.add_argument(
        "--at-once", type=_count, default=0, metavar="N", help=say(_("requests at once of each key (default: 8)"))
    )
    command.add_argument(
        "--most-adapters",
        type=_some,
        default=64,
        metavar="N",
        help=say(_("adapters in memory at once; those asked least recently go first (default: 64)")),
    )
    command.add_argument(
        "--adapter-mb", type=_some, default=4096, metavar="MB", help=say(_("memory for adapters (default: 4096)"))
    )
    command.add_argument(
        "--disk-mb",
        type=_some,
        default=16384,
        metavar="MB",
        help=say(_("disk for adapters fetched from the Hub; those asked least recently go first (default: 16384)")),
    )
    command.add_argument(
        "--engine", default="", metavar="URL", help=say(_("a vLLM server that has the base and answers instead"))
    )
    command.add_argument(
        "--engine-adapters",
        choices=("folders", "repos"),
        default="folders",
        help=say(
            _("what it is told of an adapter: its folder, the same there as here, or its repo (default: folders)")
        ),
    )


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(text)
    return count


def _some(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


# argparse names a value's type by its function.
_port.__name__, _count.__name__, _some.__name__ = "port", "number", "number above 0"
