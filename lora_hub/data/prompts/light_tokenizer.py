"""A base's tokenizer without transformers, for counting tokens without seconds of imports.

    tokenizer = read_tokenizer(folder)                None if this module cannot read the folder's tokenizer
    template.encode_prompts(tokenizer, task, rows)    it offers exactly what `template` calls

The ids equal those of `transformers.AutoTokenizer` (5.23), tested token for token. They do not always follow
tokenizer.json: for some classes transformers takes only the vocabulary from the file and rebuilds the rest
(`_REBUILT`), so this module does the same. Every other class is used as the file defines it. Chat templates are
rendered in jinja2's immutable sandbox, as transformers does; strangers' templates are rendered by `template_process` in
a separate process.
"""

import json
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lora_hub.core.errors import BaseError, reason_of
from lora_hub.core.messages import _

AGAIN = _("Copy or download the base again, whole.")
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

# Default special tokens of a class, if its files name none.
_END = "<|endoftext|>"
_REBUILT: dict[str, dict[str, str]] = {
    "LlamaTokenizer": {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
    "GemmaTokenizer": {
        "unk_token": "<unk>",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    },
    "GPT2Tokenizer": {"unk_token": _END, "bos_token": _END, "eos_token": _END},
    "GPTNeoXTokenizer": {"unk_token": _END, "bos_token": _END, "eos_token": _END, "pad_token": "<|padding|>"},
    "Qwen2Tokenizer": {"unk_token": _END, "eos_token": _END, "pad_token": _END},
}
# The class that transformers registers for a model type; "": use the file as it is, whatever class it names.
_REGISTERED = {
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text"), "GemmaTokenizer"),
    **dict.fromkeys(("gpt2", "gpt_neo", "gptj", "opt", "phi", "codegen", "starcoder2"), "GPT2Tokenizer"),
    **dict.fromkeys(("gpt_neox", "mpt", "olmo", "olmoe", "mamba", "mamba2", "rwkv"), "GPTNeoXTokenizer"),
    **dict.fromkeys(("qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next"), "Qwen2Tokenizer"),
    **dict.fromkeys(
        ("granite", "granitemoe", "granitemoehybrid", "glm", "glm4", "olmo2", "olmo3", "phi3", "phimoe"), ""
    ),
    **dict.fromkeys(
        ("gpt_bigcode", "stablelm", "mistral", "ministral", "mixtral", "ernie4_5", "nemotron", "minicpm3"), ""
    ),
}
# Model types whose repos name a wrong class so often that transformers ignores it.
_OVERRULED = frozenset({"qwen2"})
_QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class LightTokenizer:
    """The tokenizer methods that `template` calls. `core`: a tokenizers.Tokenizer; `named`: special tokens by name."""

    def __init__(self, core: Any, named: dict[str, str], chat_template: str) -> None:
        self._core = core
        self._named = named
        self.chat_template = chat_template or None

    def __call__(self, texts: list[str], add_special_tokens: bool = True) -> dict[str, Any]:
        if isinstance(texts, str):
            return {"input_ids": self._core.encode(texts, add_special_tokens=add_special_tokens).ids}
        # the fast version omits the offsets, which are not needed here
        return {
            "input_ids": [
                encoded.ids for encoded in self._core.encode_batch_fast(texts, add_special_tokens=add_special_tokens)
            ]
        }

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        *,
        add_generation_prompt: bool = False,
        tokenize: bool = False,
        **variables: Any,
    ) -> str:
        """The messages as text. Raises what the template raises; `chat_template.render` turns that into an error
        message."""
        if tokenize:
            raise ValueError("renders text only")
        messages = [{key: value for key, value in message.items() if value is not None} for message in messages]
        compiled, known = self._compiled
        values = {**known, "messages": messages, "add_generation_prompt": add_generation_prompt, **variables}
        # Like `compiled.render`, but without copying all globals at every call, a third of the time.
        return "".join(compiled.root_render_func(compiled.new_context(values, shared=True)))

    @property
    def special_tokens_map(self) -> dict[str, str]:
        """Special tokens by name, for templates that use them."""
        return dict(self._named)

    @property
    def eos_token_id(self) -> int | None:
        return self._id("eos_token")

    @property
    def bos_token_id(self) -> int | None:
        return self._id("bos_token")

    @property
    def all_special_ids(self) -> list[int]:
        return [number for name in self._named if (number := self._id(name)) is not None]

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        return self._core.get_added_tokens_decoder()

    def _id(self, name: str) -> int | None:
        return self._core.token_to_id(self._named[name]) if name in self._named else None

    @cached_property
    def _compiled(self) -> tuple[Any, dict[str, Any]]:
        """The template, and the variables that are always defined in it."""
        environment = jinja_environment()
        return environment.from_string(self.chat_template), {
            **environment.globals,
            **self._named,
            "tools": None,
            "documents": None,
        }


def read_tokenizer(folder: Path) -> LightTokenizer | None:
    """The tokenizer in a base's folder (a local base, the built-in one, a snapshot in the Hub's cache).

    None if there is neither tokenizer.json nor, for classes built from them, vocab.json with merges.txt. Raises
    BaseError if a file is damaged.
    """
    from tokenizers import AddedToken, Tokenizer, models

    config = _read_json(folder / "tokenizer_config.json")
    file = folder / "tokenizer.json"
    kind = _class_of(config, _read_json(folder / "config.json"), file)
    parts = (folder / "vocab.json", folder / "merges.txt")
    whole = file.is_file()
    if not whole and not (
        kind in ("Qwen2Tokenizer", "GPT2Tokenizer", "GPTNeoXTokenizer") and all(part.is_file() for part in parts)
    ):
        return None
    try:
        core = Tokenizer.from_file(str(file)) if whole else Tokenizer(models.BPE.from_file(*map(str, parts)))
    except Exception as error:  # tokenizers raises nothing more specific
        if type(error) is not Exception:
            raise
        raise BaseError(
            _("The tokenizer in {folder!r} is damaged: {reason}."), AGAIN, folder=folder, reason=reason_of(error)
        ) from error
    core.no_truncation()
    core.no_padding()
    if kind in _REBUILT:
        _rebuild(core, kind, config)
    added = config.get("added_tokens_decoder") or {}
    if not added:
        config = {**config, **_read_json(folder / "special_tokens_map.json")}
    there = {token.content for token in core.get_added_tokens_decoder().values()}
    core.add_tokens(
        [
            AddedToken(**entry)
            for _, entry in sorted(added.items(), key=lambda item: int(item[0]))
            if entry["content"] not in there
        ]
    )
    named = {**_REBUILT.get(kind, {}), **{name: text for name in NAMED if (text := _token(config.get(name)))}}
    named = {name: text for name, text in named.items() if name not in config or config[name] is not None}
    extra = config.get("extra_special_tokens") or config.get("additional_special_tokens") or []
    extra = list(extra.values()) if isinstance(extra, dict) else extra
    known = {token.content for token in core.get_added_tokens_decoder().values()}
    wanted = dict.fromkeys(text for text in (*named.values(), *map(_token, extra)) if text and text not in known)
    core.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in wanted])
    if not whole:
        _frame(core, named, bos=bool(config.get("add_bos_token")), eos=bool(config.get("add_eos_token")))
    return LightTokenizer(core, named, _chat_template(folder, config))


def _class_of(config: dict[str, Any], model: dict[str, Any], file: Path) -> str:
    """The class that transformers would choose; "" to use the file as it is."""
    said = str(config.get("tokenizer_class") or model.get("tokenizer_class") or "").removesuffix("Fast")
    said = "" if said in ("PreTrainedTokenizer", "TokenizersBackend", "PythonBackend") else said
    type_ = model.get("model_type") or ""
    registered = _REGISTERED.get(type_)
    if said == "LlamaTokenizer" and type_ not in _OVERRULED and file.is_file() and b'"ByteLevel"' in file.read_bytes():
        return ""  # Llama 3's files name Llama 2's class
    if registered is None:
        return said
    named = bool(config.get("tokenizer_class") or model.get("tokenizer_class"))
    return registered if type_ in _OVERRULED or not registered or not named else said


def _rebuild(core: Any, kind: str, config: dict[str, Any]) -> None:
    """Replaces the parts of the file that transformers rebuilds for a class. The vocabulary stays."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    space = config.get("add_prefix_space")
    normalizer, words, unknown, fuse, as_bytes = None, None, None, False, False
    if kind == "LlamaTokenizer":
        scheme = "never" if space is False else "always" if config.get("legacy") else "first"
        words = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme=scheme, split=False)
        fuse = as_bytes = True
    elif kind == "GemmaTokenizer":
        normalizer = normalizers.Replace(" ", "\u2581")
        words = pre_tokenizers.Split(" ", "merged_with_previous")
        unknown, fuse, as_bytes = _token(config.get("unk_token")) or "<unk>", True, True
    elif kind == "Qwen2Tokenizer":
        normalizer = normalizers.NFC()
        pieces = pre_tokenizers.Split(Regex(_QWEN2_WORDS), "isolated")
        words = pre_tokenizers.Sequence(
            [pieces, pre_tokenizers.ByteLevel(add_prefix_space=bool(space), use_regex=False)]
        )
    else:
        normalizer = normalizers.NFC() if kind == "GPTNeoXTokenizer" else None
        words = pre_tokenizers.ByteLevel(add_prefix_space=bool(space))
    core.normalizer, core.pre_tokenizer = normalizer, words
    model = core.model
    if type(model).__name__ == "BPE":
        model.unk_token, model.fuse_unk, model.byte_fallback, model.ignore_merges = unknown, fuse, as_bytes, False


def _frame(core: Any, named: dict[str, str], *, bos: bool, eos: bool) -> None:
    """The special tokens around a text if no tokenizer.json defines them."""
    from tokenizers import processors

    first, last = named.get("bos_token") if bos else None, named.get("eos_token") if eos else None
    around = [f"{text}:0" for text in (first,) if text] + ["$A:0"] + [f"{text}:0" for text in (last,) if text]
    core.post_processor = processors.TemplateProcessing(
        single=" ".join(around),
        special_tokens=[(text, core.token_to_id(text)) for text in dict.fromkeys((first, last)) if text],
    )


def _chat_template(folder: Path, config: dict[str, Any]) -> str:
    """The template file, else the config's; of several, the one named default."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    said = config.get("chat_template") or ""
    if isinstance(said, list):
        said = {entry["name"]: entry["template"] for entry in said}
    return said.get("default", "") if isinstance(said, dict) else said


def _token(value: Any) -> str:
    return str(value.get("content") or "") if isinstance(value, dict) else str(value or "")


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseError(_("The file {file!r} cannot be read as JSON."), AGAIN, file=file) from error
    return data if isinstance(data, dict) else {}


def jinja_environment() -> Any:
    """jinja2 configured as chat templates expect: trimmed block tags, loop controls, and a few functions."""
    from jinja2 import TemplateError, nodes, utils
    from jinja2.exceptions import SecurityError
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks the assistant's text; it does not change the output."""

        tags = {"generation"}

        def parse(self, parser: Any) -> nodes.Node:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)

    class Names(utils.Namespace):
        """A namespace that refuses names with a leading underscore, which reach into Python itself."""

        def __init__(*args: Any, **values: Any) -> None:  # noqa: N805, as in jinja2: a template may set `self`
            self, *rest = args
            utils.Namespace.__init__(self)
            for name, value in dict(*rest, **values).items():
                self[name] = value

        def __setitem__(self, name: str, value: Any) -> None:
            if str(name).startswith("_"):
                raise SecurityError(f"A chat template may not set {name!r}.")
            utils.Namespace.__setitem__(self, name, value)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def to_json(
        value: Any,
        ensure_ascii: bool = False,
        indent: int | None = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals |= {
        "raise_exception": refuse,
        "namespace": Names,
        "dict": lambda *pairs, **values: dict(*pairs, **values),
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    return environment
