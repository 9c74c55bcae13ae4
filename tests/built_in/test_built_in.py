"""The built-in base: loads with nothing downloaded, keeps every text whole, speaks its template, knows both
languages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "lora_hub" / "built_in" / "model"
TALK = """
import random
from lora_hub.built_in.making.messages import Messages
from lora_hub.built_in.making.passages import Passages
from lora_hub.built_in.making.sentences import Grammar
chance = random.Random({seed})
grammar = Grammar(chance)
passages = Passages(chance, grammar)
messages = Messages(chance, grammar, passages)
for _ in range(60):
    print(grammar.sentence(), passages.ask("en"), passages.ask("fa"), messages.message())
"""


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL, local_files_only=True)


@pytest.fixture(scope="module")
def model():
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(MODEL, local_files_only=True).eval()


def loss_of(model, tokenizer, text: str) -> float:
    """Mean loss in nats per token."""
    import torch

    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
    with torch.no_grad():
        return model(input_ids=ids, labels=ids).loss.item()


def test_it_is_small_enough_for_a_space():
    assert sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file()) <= 9_000_000


def test_it_is_a_llama_in_float32_that_fits_its_tokenizer(model, tokenizer):
    import torch

    assert model.config.model_type == "llama"
    assert model.dtype == torch.float32
    assert model.config.vocab_size == len(tokenizer)
    assert tokenizer.model_max_length == model.config.max_position_embeddings


def test_pad_bos_and_eos_differ_and_agree_with_the_model(model, tokenizer):
    ids = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id]
    assert len(set(ids)) == 3
    assert ids == [model.config.pad_token_id, model.config.bos_token_id, model.config.eos_token_id]
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize(
    "text",
    [
        "می‌روم خانه‌ام؛ کتاب‌ها را نمی‌خوانم.",
        "كتاب عربي ‏RTL‎ marks",
        "😀👩‍👩‍👧 café naïve Übung 漢字 ok",
        "  two spaces, \t a tab\nand\r\n\r\nlines ",
        "control \x00\x07\x1b\x7f and \u200b\u2028\ufeff",
        " a leading space",
        "£1000 cash! Txt WIN to 87121",
        "",
    ],
)
def test_every_text_comes_back_as_it_was(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_no_token_stands_for_unknown_text(tokenizer):
    assert tokenizer.unk_token is None
    assert len(tokenizer("\U0001f9ff\ue000", add_special_tokens=False)["input_ids"]) >= 2


CHATS = [
    [
        {"role": "user", "content": "Is this message spam?\n\nMessage: see you at 8"},
        {"role": "assistant", "content": "ham"},
    ],
    [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "سلام"},
        {"role": "assistant", "content": "سلام!"},
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "A small model."},
    ],
]


@pytest.mark.parametrize("messages", CHATS)
def test_the_prompt_as_it_is_asked_begins_the_whole_chat(tokenizer, messages):
    def ids_of(some, **options):
        return tokenizer.apply_chat_template(some, tokenize=True, return_dict=True, **options)["input_ids"]

    asked = ids_of(messages[:-1], add_generation_prompt=True)
    whole = ids_of(messages)
    answer = tokenizer(messages[-1]["content"], add_special_tokens=False)["input_ids"]
    assert whole == asked + answer + [tokenizer.eos_token_id]
    assert (
        len(asked) + 1 <= sum(len(tokenizer(m["content"])["input_ids"]) for m in messages[:-1]) + 2 * len(messages) + 1
    )


def test_the_answer_can_be_masked_by_the_template(tokenizer):
    encoded = tokenizer.apply_chat_template(
        CHATS[0], tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    trained = [i for i, on in zip(encoded["input_ids"], encoded["assistant_masks"]) if on]
    assert tokenizer.decode(trained) == f"ham{tokenizer.eos_token}"


def test_a_word_is_the_same_token_in_question_and_answer(tokenizer):
    answer = tokenizer("positive", add_special_tokens=False)["input_ids"]
    question = tokenizer("Is it negative or positive", add_special_tokens=False)["input_ids"]
    assert question[-len(answer) :] == answer


@pytest.mark.parametrize(
    "text",
    [
        "The girl went to the market with her brother and bought three green apples.",
        "دختر با برادرش به بازار رفت و سه سیب سبز خرید.",
    ],
)
def test_it_knows_both_languages(model, tokenizer, text):
    from math import log

    assert loss_of(model, tokenizer, text) < 0.7 * log(len(tokenizer))


def test_it_ends_a_short_answer_by_itself(model, tokenizer):
    prompt = "Mina lives in Tabriz and drives a green car.\n\nWhat colour is Mina's car?"
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**ids, max_new_tokens=8, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert answer[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(answer, skip_special_tokens=True).strip()


def test_it_goes_on_as_it_went_before(model, tokenizer):
    """Copying out of the context is what adapters for questions about a text are built on."""
    import torch

    words = "lamp river seven garden doctor blue window honey market teacher"
    once = tokenizer(words, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[tokenizer.bos_token_id, *once, *once, *once]])
    with torch.no_grad():
        losses = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
    first, last = losses[: len(once)].mean(), losses[-len(once) :].mean()
    assert last < first - 2  # nats per token


def say(seed: int, hash_seed: str) -> str:
    """What the generators say, in a process with another order of sets."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", TALK.format(seed=seed)], env=environment, capture_output=True, check=True
    )
    return done.stdout.decode("utf-8")


def test_the_same_seed_writes_the_same_text():
    first = say(1, "1")
    assert first == say(1, "2")
    assert first != say(2, "1")
    assert first.isprintable() is False and "می" in first
