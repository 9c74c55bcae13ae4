"""A tokenizer as a GGUF file says it: its tokens and their types, byte pairs or scores, ends and chat template.

    write_words(writer, folder, tokenizer, vocabulary)

As llama.cpp's converter writes it (conversion/base.py: _set_vocab_gpt2, _set_vocab_sentencepiece).
"""

import json
from pathlib import Path
from typing import Any

import gguf

from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.data.prompts import template
from lora_hub.works_in import split_of_tokenizer

SENTENCEPIECE = "gemma"


def read_words(folder: Path, tokenizer: Any) -> dict[str, Any]:
    """The tokenizer's own tokenizer.json: the folder's, or as the loaded tokenizer writes it. Raises BaseError."""
    file = folder / "tokenizer.json"
    text = file.read_text(encoding="utf-8") if file.is_file() else _written(tokenizer)
    try:
        words = json.loads(text)
        if not split_of_tokenizer(words):
            raise ValueError
        return words
    except (ValueError, RecursionError) as error:
        raise BaseError(
            _("llama.cpp does not know how this base's tokenizer splits texts, so that it would read other tokens."),
            _("Export merged weights instead (--to merged)."),
        ) from error


def _written(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend.to_str() if backend is not None else "{}"


def write_words(writer: gguf.GGUFWriter, words: dict[str, Any], tokenizer: Any, vocabulary: int) -> None:
    """vocabulary: rows of the embeddings; those without a token are said to be unused. Raises BaseError."""
    split, model = split_of_tokenizer(words), words["model"]
    tokens: dict[int, str] = {number: token for token, number in model["vocab"].items()}
    types = dict.fromkeys(tokens, gguf.TokenType.NORMAL)
    for one in words.get("added_tokens", ()):
        tokens[one["id"]] = one["content"]
        types[one["id"]] = gguf.TokenType.CONTROL if one["special"] else gguf.TokenType.USER_DEFINED
    if max(tokens) >= vocabulary:
        raise BaseError(
            _("The tokenizer has {tokens:,} tokens, the base embeddings for {rows:,}."),
            _("Choose the base that the tokenizer belongs to."),
            tokens=max(tokens) + 1,
            rows=vocabulary,
        )
    for number in range(vocabulary):
        if number not in tokens:
            tokens[number], types[number] = f"[PAD{number}]", gguf.TokenType.UNUSED
    merges = [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    is_pieces = split == SENTENCEPIECE
    if is_pieces:
        for number, token in tokens.items():
            if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
                types[number] = gguf.TokenType.BYTE
            elif number == model["vocab"].get(model.get("unk_token")):
                types[number] = gguf.TokenType.UNKNOWN
    writer.add_tokenizer_model("llama" if is_pieces else "gpt2")
    writer.add_tokenizer_pre("default" if is_pieces else split)
    writer.add_token_list([tokens[number] for number in range(vocabulary)])
    writer.add_token_types([types[number] for number in range(vocabulary)])
    if is_pieces:
        writer.add_token_scores(_scores([tokens[number] for number in range(vocabulary)], model["merges"]))
        writer.add_add_space_prefix(False)
    else:
        writer.add_token_merges(merges)
    _write_ends(writer, tokenizer, vocabulary)
    chat = tokenizer.chat_template
    if chat := chat.get("default") if isinstance(chat, dict) else chat:
        writer.add_chat_template(str(chat))


def _scores(tokens: list[str], merges: list[Any]) -> list[float]:
    """llama.cpp merges the pair whose piece has the highest score: the order of the merges says as much."""
    order: dict[str, int] = {}
    for place, pair in enumerate(merges):
        left, right = pair.split(" ", 1) if isinstance(pair, str) else pair
        order.setdefault(left + right, place)
    return [-float(order.get(token, len(merges))) for token in tokens]


def _write_ends(writer: gguf.GGUFWriter, tokenizer: Any, vocabulary: int) -> None:
    """Without those that a tokenizer's class adds beyond the base's tokens: nothing can read or write them."""
    ids = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "unk": tokenizer.unk_token_id,
        "pad": tokenizer.pad_token_id,
    }
    for name, number in ids.items():
        if number is not None and number < vocabulary:
            getattr(writer, f"add_{name}_token_id")(int(number))
    end = template.end_token(tokenizer)
    if end != tokenizer.eos_token_id and end < vocabulary:
        writer.add_eot_token_id(end)
    writer.add_add_bos_token(begins_itself(tokenizer))
    writer.add_add_eos_token(False)


def begins_itself(tokenizer: Any) -> bool:
    """Whether the tokenizer puts its first token before every text."""
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and ids[0] == tokenizer.bos_token_id
