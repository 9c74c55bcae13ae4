"""What a Space's owner changed in two of our files there, kept when the app is brought up to date.

The card at the top of README.md: who may sign in, title, colours. requirements.txt: packages that they added, such as
bitsandbytes. A comment in each file says what is theirs, so that the next deployment still knows it.
"""

import re
from typing import Any

import yaml

from lora_hub.core import bounded_yaml

# What the code itself needs to be there as it says.
CODE_KEYS = ("sdk", "sdk_version", "python_version", "app_file")
SCOPES = "hf_oauth_scopes"
THEIRS_CARD = "# set on this Space: "
THEIRS_PACKAGES = "# added on this Space:"
_CARD = re.compile(r"\A---\r?\n(.*?\n)---\r?\n", re.DOTALL)
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def merge_card(ours: str, there: str, is_edited: bool) -> tuple[str, dict[str, Any]]:
    """(README with our text and a card in which the owner's values stand, those values). ours, there: the whole files.
    is_edited: somebody changed the file there since the last deployment; otherwise only what was theirs before is."""
    our_card, their_card = _read(ours), _read(there)
    if our_card is None or their_card is None:
        return ours, {}
    before = _named_before(there)
    kept = {
        key: value
        for key, value in their_card.items()
        if key not in CODE_KEYS and (key in before or is_edited) and our_card.get(key) != value
    }
    if isinstance(kept.get(SCOPES), list) and isinstance(our_card.get(SCOPES), list):
        # A permission that the app has come to need is asked for, beside what they added.
        kept[SCOPES] = [*our_card[SCOPES], *(scope for scope in kept[SCOPES] if scope not in our_card[SCOPES])]
        if kept[SCOPES] == our_card[SCOPES]:
            del kept[SCOPES]
    return _with_values(ours, kept), kept


def add_scope(readme: str, scope: str) -> str:
    """A README whose card asks people for one more permission. It counts as set by the owner, so it stays."""
    card = _read(readme) or {}
    scopes = card.get(SCOPES) or []
    return readme if scope in scopes else _with_values(readme, {SCOPES: [*scopes, scope]})


def _with_values(readme: str, values: dict[str, Any]) -> str:
    card = _read(readme)
    if not values or card is None:
        return readme
    named = THEIRS_CARD + ", ".join(sorted({*values} | _named_before(readme)))
    text = yaml.safe_dump(card | values, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{named}\n{text}---\n{readme[_CARD.match(readme).end() :]}"


def _read(readme: str) -> dict[str, Any] | None:
    found = _CARD.match(readme)
    try:
        card = bounded_yaml.load(found[1]) if found else None
    except yaml.YAMLError:
        return None
    return card if isinstance(card, dict) else None


def _named_before(readme: str) -> set[str]:
    line = next((line for line in readme.splitlines()[:3] if line.startswith(THEIRS_CARD)), "")
    return set(line.removeprefix(THEIRS_CARD).split(", ")) if line else set()


def merge_requirements(ours: str, there: str, is_edited: bool) -> tuple[str, list[str]]:
    """(requirements.txt with our packages and those that the owner added, their lines). Arguments as `merge_card`."""
    _ours_there, _marker, below = there.partition(THEIRS_PACKAGES)
    lines = there.splitlines() if is_edited else below.splitlines()
    known = {_package(line) for line in ours.splitlines()}
    added = [line.strip() for line in lines if _package(line) and _package(line) not in known]
    if not added:
        return ours, []
    return f"{ours.rstrip()}\n{THEIRS_PACKAGES}\n" + "".join(f"{line}\n" for line in added), added


def _package(line: str) -> str:
    """The package that a line of requirements.txt asks for, as it is compared; empty for a comment or an option."""
    found = _PACKAGE.match(line.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
