"""The regions of adapters that were read last, by their commits: a question among adapters that have not changed reads
none of their repositories.

    atlas = atlas_of(refs, base)             regions.Atlas, whose names are those that say where their questions lie
"""

import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lora_hub import hub, regions
from lora_hub.core.errors import HubUnreachableError, LoraHubError
from lora_hub.core.recent import Recent
from lora_hub.core.schema import AdapterRef, BaseModel

# Bytes of all that are kept, besides the last one; and adapters that are known to say nothing.
MOST_BYTES, MOST_SILENT = 48 << 20, 4096
# Bytes of names and commits, also where no adapter brings a region.
_NAMED = 64 << 10

_Key = tuple[str, frozenset[tuple[str, str]]]

_lock, _making = threading.Lock(), threading.Lock()
_atlases: Recent[_Key, regions.Atlas] = Recent(MOST_BYTES, lambda atlas: _NAMED + atlas.bytes)
_silent: Recent[tuple[str, str], None] = Recent(MOST_SILENT)


def atlas_of(refs: Sequence[AdapterRef], base: BaseModel) -> regions.Atlas:
    """The regions of adapters as the Hub has listed them to whoever asks. One that is damaged, or of other weights, is
    no reason not to look at the others. Raises HubUnreachableError."""
    key = (regions.base_name(base), frozenset((ref.repo_id, ref.revision) for ref in refs))
    found = _kept(key)
    if found is not None:
        return found
    with _making:  # several that ask at once wait for one
        found = _kept(key)
        if found is None:
            found, is_whole = _read(refs, base)
            if not is_whole:  # the next one who asks may be let in, or luckier
                return found
            with _lock:
                _atlases[key] = found
    return found


def _kept(key: _Key) -> regions.Atlas | None:
    with _lock:
        return _atlases.get(key)


def _read(refs: Sequence[AdapterRef], base: BaseModel) -> tuple[regions.Atlas, bool]:
    """And whether the Hub handed out all of them."""
    here = contextvars.copy_context()  # each thread asks as whoever asked this one
    with ThreadPoolExecutor(8) as threads:
        fetched = list(threads.map(lambda ref: here.copy().run(_region_of, ref, base), refs))
    named = {ref.repo_id: region for ref, (region, _is_told) in zip(refs, fetched, strict=True)}
    known = {name: region for name, region in named.items() if region is not None}
    return regions.Atlas(known), all(is_told for _region, is_told in fetched)


def _region_of(ref: AdapterRef, base: BaseModel) -> tuple[hub.TaskRegion | None, bool]:
    """None where the adapter brings none, or none that can be used; and whether that is so for everybody."""
    commit = (ref.repo_id, ref.revision)
    with _lock:
        if commit in _silent:
            return None, True
    try:
        region = hub.kept_region(*commit) or hub.fetch_region(*commit)
    except HubUnreachableError:
        raise
    except hub.NoRegion:
        region = None
    except LoraHubError:  # it is not handed out to this person
        return None, False
    if region is not None and not _is_other(region.base, base):
        return region, True
    if region is None:
        with _lock:
            _silent[commit] = None
    return None, True


def _is_other(named: str, base: BaseModel) -> bool:
    """A fingerprint is compared with a fingerprint; a Hub's base has none, and the list is of its id."""
    is_print = len(named) == 64 and not set(named) - set("0123456789abcdef")
    return bool(is_print and base.fingerprint and named != base.fingerprint)
