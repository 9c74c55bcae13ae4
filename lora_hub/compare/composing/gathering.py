"""The adapters that a sum can be made of: those that were named, or the organization's of a base, as far as a stack
holds them.

panes, left = gather_adapters(bases, base, org="lora-hub")
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lora_hub import hub
from lora_hub.compare.composing.composed import MOST_ADAPTERS
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_key, check_one_base, resolve_adapter
from lora_hub.core import settings, store
from lora_hub.core.disk import expand
from lora_hub.core.errors import AdapterError, HubUnreachableError
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.core.schema import BaseModel
from lora_hub.hub.adapter_config import CONFIG_FILE

# Adapters that are left out whose reason is told where too few remain.
MOST_TOLD = 3
_ADVICE = _("Publish more of them, or choose some of this base yourself.")


@dataclass(frozen=True)
class Left:
    """An adapter of the organization that is no part of the search, and why."""

    adapter: str
    said: Message


def gather_adapters(bases: LoadedBases, base: BaseModel, org: str = "") -> tuple[list[Pane], list[Left]]:
    """The organization's adapters of this base, the last changed first, and those that are left out: a stranger's may
    be of a kind that cannot be summed. Raises AdapterError where there are fewer than two, HubError, BaseError."""
    refs = hub.list_adapters(org or settings.organization(), base=base.id)
    given = f"{base.id}@{base.revision}" if base.revision else base.id  # an adapter may name another place of its base
    panes: list[Pane] = []
    left: list[Left] = []
    for ref in refs:
        if len(panes) == MOST_ADAPTERS:
            said = _("A sum is of at most {most} adapters; choose this one among others.", most=MOST_ADAPTERS)
            left.append(Left(ref.repo_id, said))
            continue
        try:
            pane = replace(resolve_adapter(f"{ref.repo_id}@{ref.revision}", given), name=ref.repo_id)
            if base_key(pane.base) != base_key(base):
                raise AdapterError(_("It was made for other weights of the base."), _("Train it again."))
            with bases.hold([pane]):
                panes.append(pane)
        except HubUnreachableError:
            raise
        except AdapterError as error:
            left.append(Left(ref.repo_id, error.said))
    if len(panes) < 2:
        raise AdapterError(
            _n(
                "{organization} has {count} adapter of {base} that can be summed, and a sum takes two.",
                "{organization} has {count} adapters of {base} that can be summed, and a sum takes two.",
            ),
            joined(*(_because(one) for one in left[:MOST_TOLD]), _ADVICE),
            organization=org or settings.organization(),
            count=len(panes),
            base=base.id,
        )
    return panes, left


def _because(one: Left) -> Message:
    return _("{adapter} is left out: {why}", adapter=one.adapter, why=one.said)


def name_publicly(panes: Sequence[Pane]) -> list[Pane]:
    """The panes under names that may be published: of a folder its own name and not the path to it, of a repo without
    the revision, which a pane has apart; in an order that does not depend on who was named first. Raises AdapterError
    where they do not share one base."""
    check_one_base(panes)
    names: Counter[str] = Counter()
    named = []
    for name, pane in sorted(((_public_name(pane), pane) for pane in panes), key=lambda of: (of[0], of[1].revision)):
        names[name] += 1
        unique = name if names[name] == 1 else f"{name} ({names[name]})"
        named.append(replace(pane, name=unique, revision=pane.revision if "/" in name else ""))
    return named


def _public_name(pane: Pane) -> str:
    is_folder = (expand(pane.name) / CONFIG_FILE).is_file()
    return _folder_name(Path(pane.name)) if is_folder else pane.name.partition("@")[0]


def _folder_name(folder: Path) -> str:
    """A run keeps its adapter in a folder that is called as everybody's is."""
    whole = expand(folder).resolve()
    return whole.parent.name if whole.name == store.ADAPTER else whole.name
