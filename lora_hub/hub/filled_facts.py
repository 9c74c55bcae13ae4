"""Who published an adapter and how large it is, where its card does not say: adapters that were published before cards
did. The Hub is asked for a few of them at each listing, and what it said is kept, so that it is asked once.

refs = fill_facts(refs)
"""

import contextlib
import contextvars
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lora_hub.core import settings, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef
from lora_hub.hub.adapter_config import WEIGHTS_FILE
from lora_hub.hub.adapter_facts import MOST_TEXT
from lora_hub.hub.client import hub_url, open_api, told

# Asked about at one listing, the last changed first; kept, of everybody.
MOST_ASKED, MOST_KEPT, MOST_BYTES = 24, 5000, 4 << 20
FILE = "adapter_facts.json"
FIRST = "v1"  # whoever published it published this
Facts = tuple[str, int]


def fill_facts(refs: Sequence[AdapterRef]) -> list[AdapterRef]:
    """The same adapters with owner and size, as far as the Hub says them; where it does not, they stay as they are."""
    lacking = [ref for ref in refs if _lacks(ref)]
    if not lacking:
        return [*refs]
    kept = _read()
    asked = [ref for ref in lacking if _key(ref) not in kept][:MOST_ASKED]
    if asked:
        here = contextvars.copy_context()  # each thread asks as whoever asked this one
        with ThreadPoolExecutor(min(8, len(asked))) as threads:
            found = list(threads.map(lambda ref: here.copy().run(_ask, ref), asked))
        new = {_key(ref): facts for ref, facts in zip(asked, found, strict=True) if facts is not None}
        kept |= new
        if new:
            _keep(kept)
    return [_filled(ref, kept.get(_key(ref))) for ref in refs]


def _lacks(ref: AdapterRef) -> bool:
    return not ref.size or bool(ref.task and not ref.owner)


def _filled(ref: AdapterRef, facts: Facts | None) -> AdapterRef:
    if facts is None or not _lacks(ref):
        return ref
    return ref.model_copy(update={"owner": ref.owner or facts[0], "size": ref.size or facts[1]})


def _key(ref: AdapterRef) -> str:
    """Its commit, too: another version is of another size."""
    return f"{hub_url()}/{ref.repo_id}@{ref.revision}"


def _ask(ref: AdapterRef) -> Facts | None:
    """None where the Hub cannot be asked now."""
    from huggingface_hub.errors import HfHubHTTPError

    owner, size = "", 0
    try:
        with told(_("describe {repo}", repo=ref.repo_id), ref.repo_id):
            api = open_api()
            [*files] = api.get_paths_info(ref.repo_id, [WEIGHTS_FILE], revision=ref.revision or None)
            size = next((one.size for one in files if one.path == WEIGHTS_FILE), 0)
            if ref.task and not ref.owner:
                with contextlib.suppress(HfHubHTTPError):  # no such version: nobody knows
                    first, *_before = api.list_repo_commits(ref.repo_id, revision=FIRST)
                    owner = first.authors[0][:MOST_TEXT] if first.authors else ""
    except LoraHubError:
        return None
    return owner, size


def _read() -> dict[str, Facts]:
    path = settings.home() / "cache" / FILE
    try:
        found = json.loads(path.read_bytes()[:MOST_BYTES])
        return {str(key): (str(owner), int(size)) for key, (owner, size) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):  # nothing was kept yet, or it is damaged: asked again
        return {}


def _keep(facts: dict[str, Facts]) -> None:
    path = settings.home() / "cache" / FILE
    with contextlib.suppress(OSError, LoraHubError):  # it is asked again, then
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write_json(path, dict([*facts.items()][-MOST_KEPT:]))
