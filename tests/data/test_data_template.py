"""The trained ids are exactly the ids of the later prompt plus the answer's, for every task and every available
tokenizer."""

from pathlib import Path

import pytest
import transformers
from tiny_bases import byte_tokenizer

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import DataError
from lora_hub.data.prompts import chat_template, prepare, template

SHARED = Path(__file__).parents[3] / "shared" / "data" / "models"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Qwen3's manner: without enable_thinking=False the answer would be asked after another prompt than was trained.
THINKING = CHATML.replace(
    "<|im_start|>assistant\n",
    (
        "<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% "
        "endif %}"
    ),
)
VALUES = {
    "text": "Win a {prize} now",
    "source": "سلام، می‌خواهم بروم",
    "question": "Who has  it? ",
    "context": "Sara has it.\nOmid does not.",
    "instruction": "List two colours.",
    "input": "",
    "system": "Talk like a knight.",
    "schema": "t(a, b)",
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "and?"},
    ],
}


def tokenizers() -> dict[str, object]:
    found = {
        "bytes, plain": byte_tokenizer(),
        "bytes, ChatML": byte_tokenizer(CHATML, ("<|im_start|>", "<|im_end|>")),
        "bytes, thinking": byte_tokenizer(THINKING, ("<|im_start|>", "<|im_end|>", "<think>", "</think>")),
        "built-in": transformers.AutoTokenizer.from_pretrained(bases.built_in_folder()),
    }
    for folder in sorted(SHARED.glob("*/")):
        found[folder.name] = transformers.AutoTokenizer.from_pretrained(folder)
    return found


TOKENIZERS = tokenizers()


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("task", catalogue.list_tasks(), ids=lambda task: task.id)
@pytest.mark.parametrize("answer", ["ham", "Two  words. ", "پاسخ فارسی می‌آید", "12"])
def test_ids_trained_on_are_those_asked_plus_the_answers(name: str, task, answer: str) -> None:
    tokenizer = TOKENIZERS[name]
    if task.output == "labels":
        task = task.model_copy(update={"labels": ("ham", "spam")})
    inputs = {role: VALUES[role] for role in task.inputs}
    encoded = prepare.encode_examples(tokenizer, task, [prepare.Example(1, inputs, answer)], 4096)
    row = encoded.rows[0]
    asked = template.encode_prompt(tokenizer, task, inputs)
    trained = [token for token, on in zip(row["input_ids"], row["completion_mask"], strict=True) if on]
    assert row["input_ids"] == asked + trained
    assert row["completion_mask"] == [0] * len(asked) + [1] * len(trained)
    # What generation would have to bring forth is the answer and then an end that stops it.
    assert trained[-1] == template.end_token(tokenizer)
    assert trained[:-1], "nothing of the answer is trained"
    plain = tokenizer.decode(
        tokenizer(answer.strip(), add_special_tokens=False)["input_ids"], clean_up_tokenization_spaces=False
    )
    if plain.strip() == answer.strip():  # a vocabulary without Persian cannot write it, however it is asked
        assert tokenizer.decode(trained[:-1], clean_up_tokenization_spaces=False).strip() == answer.strip()
    assert not tokenizer.decode(asked).endswith(" ") or tokenizer.chat_template, (
        "a prompt that ends in a space is asked otherwise than trained"
    )


@pytest.mark.parametrize("name", TOKENIZERS)
def test_answer_with_chat_template_is_the_templates_own_rendering(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    if not tokenizer.chat_template:
        pytest.skip("no chat template to compare with")
    task = catalogue.get_task("grammar")
    user = template.render_prompt(task, {"text": "He go."})
    turns = [{"role": "user", "content": user}, {"role": "assistant", "content": "He goes."}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False, **chat_template.TEMPLATE_VARIABLES)
    prompt = template.prompt_text(tokenizer, task, {"text": "He go."})
    if not whole.startswith(prompt):
        pytest.skip("this template renders a past turn otherwise than one being asked")
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    ours = template.encode_prompt(tokenizer, task, {"text": "He go."}) + template.encode_answer(tokenizer, "He goes.")
    assert ids[: len(ours)] == ours


def test_empty_optional_input_and_long_label_lists_leave_their_lines_out() -> None:
    instruction = catalogue.get_task("instruction")
    assert "Input:" not in template.render_prompt(instruction, {"instruction": "Do it.", "input": " "})
    assert "Input: x" in template.render_prompt(instruction, {"instruction": "Do it.", "input": "x"})
    intent = catalogue.get_task("intent")
    few = intent.model_copy(update={"labels": ("a", "b")})
    many = intent.model_copy(update={"labels": tuple(f"label{i}" for i in range(77))})
    assert "a, b" in template.render_prompt(few, {"text": "hi"})
    assert "label1" not in template.render_prompt(many, {"text": "hi"})


def test_braces_in_a_value_are_left_alone() -> None:
    rendered = template.render_prompt(catalogue.get_task("grammar"), {"text": "{instruction} {x} {{y}}"})
    assert rendered.endswith("{instruction} {x} {{y}}")


def test_missing_input_is_named() -> None:
    with pytest.raises(DataError, match="'context'"):
        template.render_prompt(catalogue.get_task("question-answering"), {"question": "Who?"})


def test_without_a_task_the_prompt_is_put_as_it_is() -> None:
    assert (
        TOKENIZERS["bytes, plain"]
        .decode(template.encode_prompt(TOKENIZERS["bytes, plain"], None, {"text": "Once upon"}))
        .endswith("Once upon")
    )
    assert "<|im_start|>user" in template.prompt_text(TOKENIZERS["bytes, ChatML"], None, {"text": "Once upon"})


def test_prompt_language_chooses_the_instruction() -> None:
    task = catalogue.get_task("sentiment").model_copy(update={"prompt_language": "fa"})
    assert task.instruction.fa in template.render_prompt(task, {"text": "خوب"})
