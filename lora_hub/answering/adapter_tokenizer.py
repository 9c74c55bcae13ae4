"""The tokenizer and the chat template that travel with an adapter, where it has its own.

    tokenizer = load_adapter_tokenizer(folder, "owner/name", base_tokenizer)      None: it is asked with the base's

An adapter is asked as it was trained: with the tokenizer in its folder; where only a template lies there, with the
base's tokenizer and that template. Strangers wrote both: no code of theirs runs, and templates are rendered within
bounds.
"""

import copy
import json
import threading
from pathlib import Path
from typing import Any

from lora_hub.answering import loading
from lora_hub.core.errors import AdapterError, LoraHubError, reason_of
from lora_hub.core.messages import Message, _
from lora_hub.core.recent import Recent
from lora_hub.data.prompts.template_process import bound_template
from lora_hub.hub import TOKENIZER_FILES

# Any of these holds a vocabulary.
VOCABULARIES = (
    "tokenizer.json",
    "tokenizer.model",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
MOST_BYTES = 256 << 20  # of one file; the largest vocabularies take some 40 MB
MOST_TEMPLATE = 1 << 20


def load_adapter_tokenizer(folder: Path, name: str, base_tokenizer: Any) -> Any | None:
    """The adapter's own tokenizer, None where it brings neither tokenizer nor chat template. Raises AdapterError where
    what it brings cannot be used; the message names the adapter."""
    folder = Path(folder)
    present = [file for pattern in TOKENIZER_FILES for file in sorted(folder.glob(pattern)) if file.is_file()]
    if not present:
        return None
    for file in present:
        if file.stat().st_size > MOST_BYTES:
            raise _unusable(name, _("{file} has {size:,} bytes", file=file.name, size=file.stat().st_size))
    if any((folder / file).is_file() for file in VOCABULARIES):
        tokenizer = _load(folder, name)
        _fill_in(tokenizer, base_tokenizer)
    else:
        template = _template_alone(folder, name)
        if template is None:
            return None
        tokenizer = copy.deepcopy(base_tokenizer)
        tokenizer.chat_template = template
    return bound_template(tokenizer, _("the adapter {name}", name=name))


class AdapterTokenizers:
    """The tokenizers of the adapters of one base, the last few kept. Safe to use from several threads."""

    def __init__(self, base_tokenizer: Any, kept: int = 16) -> None:
        self.base = base_tokenizer
        self._known: Recent[tuple, Any] = Recent(kept)
        self._lock = threading.Lock()

    def of(self, folder: Path, name: str) -> Any:
        """The tokenizer that the adapter is asked with: its own, or the base's. Raises AdapterError."""
        files = [file for pattern in TOKENIZER_FILES for file in sorted(Path(folder).glob(pattern))]
        key = (str(folder), tuple((file.name, file.stat().st_mtime_ns) for file in files))
        with self._lock:
            found = self._known.get(key)
            if found is None:
                found = self._known[key] = load_adapter_tokenizer(folder, name, self.base) or self.base
            return found


def _load(folder: Path, name: str) -> Any:
    try:
        tokenizer = loading.read_tokenizer(folder)
    except LoraHubError:
        raise
    except Exception as error:  # transformers and tokenizers raise all kinds over a stranger's files
        raise _unusable(name, reason_of(error)) from error
    if not len(tokenizer):
        raise _unusable(name, _("it has no tokens"))
    return tokenizer


def _fill_in(tokenizer: Any, base_tokenizer: Any) -> None:
    """Completes the adapter's tokenizer: the base's end token where it names none, and a pad token that the base knows.
    People often add a pad token behind the end of the vocabulary; any other does as well, because padding is masked."""
    if (
        tokenizer.eos_token_id is None
        and tokenizer.get_vocab().get(base_tokenizer.eos_token) == base_tokenizer.eos_token_id
    ):
        tokenizer.eos_token = base_tokenizer.eos_token
    known = len(base_tokenizer)
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id >= known:
        named = (tokenizer.unk_token, tokenizer.eos_token, tokenizer.bos_token)
        tokenizer.pad_token = next(
            (token for token in named if token and tokenizer.convert_tokens_to_ids(token) < known), None
        )


def _template_alone(folder: Path, name: str) -> Any | None:
    """The chat template that lies in a folder without a vocabulary; a dict of them by name where there are several."""
    try:
        several = {file.stem: _read(file) for file in sorted((folder / "additional_chat_templates").glob("*.jinja"))}
        if (folder / "chat_template.jinja").is_file():
            default = _read(folder / "chat_template.jinja")
            return {"default": default, **several} if several else default
        for file in ("chat_template.json", "tokenizer_config.json"):
            said = json.loads(_read(folder / file)) if (folder / file).is_file() else {}
            template = said.get("chat_template") if isinstance(said, dict) else None
            if isinstance(template, list):
                template = {entry["name"]: entry["template"] for entry in template}
            if template and not isinstance(template, str | dict):
                raise ValueError(_("chat_template is neither a text nor a list of templates"))
            if template:
                return template
        return several or None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = _("its chat template cannot be read ({reason})", reason=reason_of(error))
        raise _unusable(name, why) from error


def _read(file: Path) -> str:
    if file.stat().st_size > MOST_TEMPLATE:
        raise ValueError(_("{file} has {size:,} bytes", file=file.name, size=file.stat().st_size))
    return file.read_text(encoding="utf-8")


def _unusable(name: str, why: Message) -> AdapterError:
    return AdapterError(
        _("The tokenizer that the adapter {name} brings cannot be used: {why}."),
        _("Save it again with save_pretrained, or take it out of the folder to ask with the base's."),
        name=name,
        why=why,
    )
