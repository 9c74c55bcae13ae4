"""Owns the built-in base's tokenizer: a byte-level BPE for English and Persian with a chat template.

Run:  python -m lora_hub.built_in.making.make_tokenizer TEXT_FILE MODEL_FOLDER

Every byte has a token of its own, so no text ever becomes an unknown token. A space is put before every stretch of text
between two special tokens (and taken away again when decoding), so that a word is the same token wherever it stands: an
answer right after `<|assistant|>` begins with the very token that the question or the passage used. At this size that
is the difference between copying a span and having to learn each word twice.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

VOCABULARY_SIZE = 4096
CONTEXT = 512
PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
SYSTEM, USER, ASSISTANT = "<|system|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = [PAD, BOS, EOS, SYSTEM, USER, ASSISTANT]
DOCUMENT_END = "\x00"

# Words keep the zero-width non-joiner (Persian writes it inside words); numbers go two digits at a time.
WORD_PATTERN = (
    r"'(?:s|t|re|ve|m|ll|d)| ?[\p{L}\p{M}\u200c]+| ?\p{N}{1,2}"
    r"| ?[^\s\p{L}\p{M}\p{N}\u200c]+|\s+(?!\S)|\s+"
)

# Three tokens of overhead for a question and its answer, one more for the end of the answer.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% elif message['role'] == 'system' %}<|system|>{{ message['content'] }}"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def read_documents(path: Path) -> Iterator[str]:
    """Documents of a text file written by `make_text`, one after the other."""
    rest = ""
    with path.open(encoding="utf-8", newline="") as file:
        while block := file.read(1 << 20):
            *whole, rest = (rest + block).split(DOCUMENT_END)
            yield from whole
    if rest:
        yield rest


def train_tokenizer(documents: Iterator[str], vocabulary_size: int = VOCABULARY_SIZE):
    """A `tokenizers.Tokenizer` trained on the documents, special tokens first (ids 0 to 5)."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def save_tokenizer(tokenizer, folder: Path) -> None:
    """Writes tokenizer.json, tokenizer_config.json and the chat template, as AutoTokenizer reads them."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    # The name that every version of transformers knows, and nothing about the machine that wrote it.
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config = {key: value for key, value in config.items() if key not in ("backend", "is_local", "local_files_only")}
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="file written by make_text")
    parser.add_argument("folder", type=Path, help="where the tokenizer's files go")
    parser.add_argument("--documents", type=int, default=60_000, help="how many documents to learn from")
    args = parser.parse_args()
    chosen = (text for index, text in enumerate(read_documents(args.text)) if index < args.documents)
    # The special tokens stand in the text as themselves; their letters must not become words.
    plain = (part for text in chosen for part in split_at_special_tokens(text))
    save_tokenizer(train_tokenizer(plain), args.folder)


def split_at_special_tokens(text: str) -> list[str]:
    """The stretches of plain text between the special tokens."""
    for token in SPECIAL_TOKENS:
        text = text.replace(token, DOCUMENT_END)
    return [part for part in text.split(DOCUMENT_END) if part]


if __name__ == "__main__":
    main()
