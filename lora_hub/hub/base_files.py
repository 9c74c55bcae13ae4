"""Brings bases here, as `fetch` does adapters: what was fetched once works with the Hub down.

fetch_base(base)             what `from_pretrained` takes
fetch_base_folder(base)      a folder with all its files
"""

import json
from pathlib import Path

from lora_hub.catalogue import bases
from lora_hub.core.errors import BaseError, HubError
from lora_hub.core.messages import _, joined
from lora_hub.core.schema import BaseModel
from lora_hub.hub.adapter_config import CONFIG_FILE
from lora_hub.hub.client import hub_url, is_shared, open_api, told
from lora_hub.hub.fetch import TOKENIZER_FILES

# So long is a question waited for that a person asks by the way.
ASK_SECONDS = 8.0


def fetch_base(base: BaseModel) -> str:
    """What `from_pretrained` takes of a base on the Hub: its id, or the cached folder where the Hub cannot be reached.
    Raises BaseError where there is no such base, this account has not been let in, or it is neither reachable nor
    cached."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with told(_("hand out {base}", base=base.id), base.id, base.revision, BaseError):
            api = open_api()
            info = api.model_info(base.id, revision=base.revision or None)
            if info.gated:
                api.auth_check(base.id)
    except (BaseError, HubError) as error:
        cached = _cached_base(base)
        # Whoever was let in once has the files by right; a network that is down must not stop the work.
        if (
            cached
            and not is_shared()
            and not (isinstance(error.__cause__, HfHubHTTPError) and error.__cause__.response.status_code in (401, 403))
        ):
            return str(cached)
        if isinstance(error, BaseError):
            raise
        raise BaseError(
            _("The base {base} cannot be fetched: {reason}"),
            joined(error.advice, _("Or choose built-in, or a local folder.")),
            base=base.id,
            reason=error.said,
        ) from error
    files = {sibling.rfilename for sibling in info.siblings or []}
    if files and "config.json" not in files:
        raise BaseError(
            _("{repo} on {hub} is an adapter: it has no config.json.")
            if CONFIG_FILE in files
            else _("{repo} on {hub} is no model that transformers can load: it has no config.json."),
            _("Choose a base that a causal language model was saved as."),
            repo=base.id,
            hub=hub_url(),
        )
    return base.id


def fetch_base_folder(base: BaseModel) -> Path:
    """The folder of a base with all its files: of this machine, or fetched from the Hub. Raises BaseError, HubError."""
    if (here := bases.folder_of(base)) is not None:
        return here
    where = Path(fetch_base(base))
    if where.is_dir() and where == _cached_base(base):
        return where
    with told(_("hand out {base}", base=base.id), base.id, base.revision, BaseError):
        wanted = ["*.json", "*.safetensors", *TOKENIZER_FILES, "LICENSE*"]
        return Path(open_api().snapshot_download(base.id, revision=base.revision or None, allow_patterns=wanted))


def check_base(base: BaseModel) -> None:
    """Asks whether the Hub has a base, and has it for this account. Raises BaseError (none of that name or revision)
    and HubError (the Hub cannot be reached, or refuses)."""
    with told(_("look at {base}", base=base.id), base.id, base.revision, BaseError):
        open_api().model_info(base.id, revision=base.revision or None, timeout=ASK_SECONDS)


def _cached_base(base: BaseModel) -> Path | None:
    """The folder of a base whose config and weights are all in the client's cache."""
    from huggingface_hub import try_to_load_from_cache

    revision = base.revision or None
    config = try_to_load_from_cache(base.id, "config.json", revision=revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    index = folder / "model.safetensors.index.json"
    needed = set(json.loads(index.read_text())["weight_map"].values()) if index.is_file() else {"model.safetensors"}
    return folder if all((folder / file).is_file() for file in needed) else None
