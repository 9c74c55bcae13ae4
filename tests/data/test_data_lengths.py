"""Lengths are the training's, token for token, and what is reported about them is something a person can act on."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import transformers
from small_data import sentiment_rows

from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import BaseError, DataError
from lora_hub.core.schema import BaseModel, Lengths, Task
from lora_hub.data.prompts import lengths, light_tokenizer, prepare, template
from lora_hub.data.prompts.prepare import Example

ROOT = Path(__file__).parents[2]
MODELS = ROOT.parent / "shared" / "data" / "models"
SPAM = catalogue.get_task("spam").model_copy(update={"labels": ("ham", "spam")})
CHAT = catalogue.get_task("chat")
GRAMMAR = catalogue.get_task("grammar")
BUILT_IN = bases.get_base("built-in")
TEXTS = [
    "Win a {prize} now!!",
    "سلام، می‌خواهم بروم به خانه",
    "12345 and 3.14",
    "two  spaces\n\nand lines\t",
    "é e\u0301 ﬁ ﷼ 😀",
    "a" * 60,
    "<|im_end|> </s>",
    "Ok lar... Joking wif u oni...",
    "<|endoftext|> hi",
    "\x00\u200f(ب)",
]


def folders() -> list[Path]:
    return [bases.built_in_folder(), *sorted(folder for folder in MODELS.glob("*/") if folder.is_dir())]


def base_in(folder: Path, tmp_path: Path) -> BaseModel:
    """A base with that tokenizer; where the folder has no model, a config beside it, which loading a tokenizer asks
    for."""
    if not (folder / "config.json").is_file():
        folder = shutil.copytree(folder, tmp_path / folder.name)
        (folder / "config.json").write_text('{"model_type": "qwen2"}')
    return BaseModel(id=folder.name, folder=str(folder), context=512)


def text_examples(task: Task) -> list[Example]:
    return [
        Example(number, dict.fromkeys(task.inputs, text), answer)
        for number, text in enumerate(TEXTS, 1)
        for answer in ("ham", "پاسخ، این است ", "1 2 3")
    ]


def chat_examples() -> list[Example]:
    turns = [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 5, TEXTS, strict=True)]
    return [Example(1, {"messages": turns[:last]}, turns[last]["content"]) for last in (1, 3, 5)]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
@pytest.mark.parametrize("task", [SPAM, GRAMMAR, CHAT], ids=lambda task: task.id)
def test_tokens_are_those_that_training_encodes(folder: Path, task: Task, tmp_path: Path) -> None:
    base = base_in(folder, tmp_path)
    examples = chat_examples() if task.is_chat else text_examples(task)
    trained = prepare.encode_examples(loading.load_tokenizer(base), task, examples, 100_000)
    light = prepare.encode_examples(light_tokenizer.read_tokenizer(Path(base.folder)), task, examples, 100_000)
    assert light.rows == trained.rows
    measured = lengths.measure(examples, task, base, 100_000)
    assert measured.prompt == tuple(len(row["input_ids"]) - sum(row["completion_mask"]) for row in trained.rows)
    assert measured.answer == tuple(sum(row["completion_mask"]) for row in trained.rows)
    assert measured.lengths.trained_share == pytest.approx(trained.trained_tokens / trained.tokens)


# Class named, kind of model. A large vocabulary takes a second to load, so that it is tried only where byte-level
# matters.
FAST = "PreTrainedTokenizerFast"
READ = {
    "TinyStories-656K": [
        *(
            (kind, type_)
            for kind in ("LlamaTokenizer", "GemmaTokenizer", "Qwen2Tokenizer", FAST, "")
            for type_ in ("llama", "qwen3", "phi3")
        ),
        ("LlamaTokenizer", "gpt2"),
        ("GemmaTokenizer", "gemma3_text"),
        ("", "gemma3_text"),
        ("Qwen2Tokenizer", "qwen2"),
    ],
    "TinyStories-Instruct-3M-chat": [
        *(
            (kind, type_)
            for kind in ("GPT2Tokenizer", "GPTNeoXTokenizer", "LlamaTokenizer", "Qwen2Tokenizer", FAST, "")
            for type_ in ("llama", "qwen2", "phi3")
        ),
        ("", "gpt2"),
        ("", "gpt_neox"),
        ("GPT2Tokenizer", "gpt_neo"),
        ("GPTNeoXTokenizer", "qwen3"),
    ],
    "Qwen2.5-tokenizer": [("GPT2Tokenizer", "llama"), (FAST, "qwen2")],
}


@pytest.mark.parametrize("source", READ)
def test_the_class_a_base_names_is_read_as_transformers_reads_it(source: str, tmp_path: Path) -> None:
    """Such folders are common: SmolLM2 names GPT2Tokenizer, Llama 3 names LlamaTokenizer, and neither file is of that
    class."""
    if not (MODELS / source).is_dir():
        pytest.skip("the shared models are not here")
    transformers.AutoTokenizer.from_pretrained(MODELS / source).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    config.pop("tokenizer_class", None)
    seen = set()
    for kind, model_type in READ[source]:
        (tmp_path / "tokenizer_config.json").write_text(
            json.dumps(config | ({"tokenizer_class": kind} if kind else {}))
        )
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        full, light = transformers.AutoTokenizer.from_pretrained(tmp_path), light_tokenizer.read_tokenizer(tmp_path)
        for special in (True, False):
            ids = light(TEXTS, add_special_tokens=special)["input_ids"]
            assert ids == full(TEXTS, add_special_tokens=special)["input_ids"], (kind, model_type)
            seen.add(str(ids))
        assert (light.eos_token_id, light.bos_token_id) == (full.eos_token_id, full.bos_token_id)
    assert len(seen) > 1  # the classes do differ


def test_registered_classes_are_still_those_of_transformers() -> None:
    from transformers.models.auto.tokenization_auto import (
        MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS,
        TOKENIZER_MAPPING_NAMES,
    )

    for model_type, name in light_tokenizer._REGISTERED.items():
        assert TOKENIZER_MAPPING_NAMES[model_type] == (name or "TokenizersBackend"), model_type
    assert light_tokenizer._OVERRULED == {
        t for t, name in light_tokenizer._REGISTERED.items() if name and t in MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS
    }


TEMPLATES = {
    "loops, filters and namespaces": (
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% if loop.first %}{% set "
        "ns.n = ns.n + 1 %}{% endif %}{{ m.role | upper }}: {{ m.content | trim }} {{ ns.n }}\n{% endfor %}{{ "
        "dict(a=1) | "
        "tojson }}{{ bos_token }}"
    ),
    "generation, break, date": (
        "{% for m in messages %}{% generation %}{{ m['content'] }}{{ eos_token }}{% "
        "endgeneration %}{% break %}{% endfor %}{{ date_string }}{% if enable_thinking is defined %}{{ "
        "enable_thinking }}{% "
        "endif %}"
    ),
    "none is no key": (
        "{% for m in messages %}{{ 'x' if m.name is defined else 'y' }}{{ m.content }}{% endfor %}{% if "
        "tools is none %}no tools{% endif %}{% if add_generation_prompt %}>{% endif %}"
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_templates_render_as_in_transformers(name: str) -> None:
    full = transformers.AutoTokenizer.from_pretrained(bases.built_in_folder())
    light = light_tokenizer.read_tokenizer(bases.built_in_folder())
    full.chat_template = light.chat_template = TEMPLATES[name]
    messages = [{"role": "user", "content": ' سلام <b>"x"</b> ', "name": None}, {"role": "assistant", "content": "hi"}]
    for prompt in (True, False):
        assert template.render(light, messages, add_generation_prompt=prompt) == template.render(
            full, messages, add_generation_prompt=prompt
        )


@pytest.mark.parametrize(
    "bad",
    [
        "{{ ''.__class__.__mro__ }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{{ raise_exception('no system turn') }}",
        "{% if %}",
    ],
)
def test_a_template_that_reaches_for_python_or_refuses_is_an_error_in_words(bad: str) -> None:
    light = light_tokenizer.read_tokenizer(bases.built_in_folder())
    light.chat_template = bad
    with pytest.raises(DataError, match="chat template refuses"):
        template.render(light, [{"role": "user", "content": "x"}])


def test_no_tokenizer_here_is_none_and_a_damaged_one_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    base = BaseModel(id="mine", folder=str(tmp_path))
    assert lengths.measure(text_examples(SPAM), SPAM, base, 512) is None
    assert lengths.measure([], SPAM, BUILT_IN, 512) is None
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "model": ')
    with pytest.raises(BaseError, match="damaged"):
        lengths.measure(text_examples(SPAM), SPAM, base, 512)
    assert lengths.measure(text_examples(SPAM), SPAM, BaseModel(id="nobody/has-this"), 512) is None


def test_a_base_of_the_hub_is_read_from_the_cache(tmp_path: Path) -> None:
    """In a process of its own: the client reads where its cache is when it is imported."""
    snapshot = tmp_path / "hub" / "models--a--b" / "snapshots" / ("0" * 40)
    shutil.copytree(bases.built_in_folder(), snapshot, ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "hub" / "models--a--b" / "refs").mkdir()
    (tmp_path / "hub" / "models--a--b" / "refs" / "main").write_text("0" * 40)
    code = (
        "import sys\nfrom lora_hub.data.prompts import lengths\nfrom lora_hub.data.prompts.prepare import "
        "Example\nfrom lora_hub.core.schema import BaseModel\n"
        "from lora_hub.catalogue.tasks import catalogue\n"
        "print([lengths.measure([Example(1, {'text': 'hello'}, 'ham')], catalogue.get_task('spam'), "
        "BaseModel(id='a/b', revision=r), 512) is not None"
        " for r in ('', '0' * 40, 'other')], 'transformers' in sys.modules)"
    )
    environment = {
        "HF_HOME": str(tmp_path),
        "PATH": "/usr/bin",
        "PYTHONPATH": str(ROOT),
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == "[True, True, False] False"


def many(count: int) -> list[Example]:
    return [Example(number, {"text": text}, label) for number, (text, label) in enumerate(sentiment_rows(count), 1)]


def test_the_sample_is_spread_over_the_file_and_the_same_each_time() -> None:
    examples = [Example(number, {"text": "word " * (number % 7 + 1)}, "ham") for number in range(1, 5001)]
    measured = lengths.measure(examples, SPAM, BUILT_IN, 512, sample=100)
    assert measured == lengths.measure(examples, SPAM, BUILT_IN, 512, sample=100)
    assert (measured.lengths.rows, measured.lengths.sampled) == (5000, 100)
    assert measured.numbers[0] == 1 and measured.numbers[-1] == 5000
    steps = {b - a for a, b in zip(measured.numbers, measured.numbers[1:], strict=False)}
    assert steps <= {50, 51}
    assert lengths.measure(examples[:100], SPAM, BUILT_IN, 512, rows=9000).lengths.rows == 9000


def test_very_long_texts_are_cheap_and_still_told_to_be_long() -> None:
    shuffler = random.Random(1)
    words = [f"word{number}" for number in range(900)]
    texts = [" ".join(shuffler.choices(words, k=16_000)) for _ in range(20)]
    examples = [Example(number, {"text": texts[number % 20]}, "ham") for number in range(1, 2001)]
    assert len(texts[0]) > 110_000
    lengths.measure(many(20), SPAM, BUILT_IN, 512)  # imports
    began = time.process_time()
    measured = lengths.measure(examples, SPAM, BUILT_IN, 512)
    assert time.process_time() - began < 4
    assert measured.lengths.too_long == measured.lengths.sampled >= lengths.LEAST_ROWS
    true = len(loading.load_tokenizer(BUILT_IN)(texts[0])["input_ids"])
    assert measured.lengths.total[-1] == pytest.approx(true, rel=0.05)


def test_long_answers_and_long_chats_count_whole() -> None:
    long = Example(3, {"text": "short"}, "word " * 20_000)
    measured = lengths.measure([*many(2), long], GRAMMAR, BUILT_IN, 512)
    assert measured.answer[2] == pytest.approx(20_000, rel=0.05) and measured.rows_over(512) == [3]
    turns = [{"role": ("user", "assistant")[n % 2], "content": "some words here " * 200} for n in range(41)]
    chat = lengths.measure([Example(7, {"messages": turns}, "ok")], CHAT, BUILT_IN, 512)
    true = template.encode_prompt(loading.load_tokenizer(BUILT_IN), CHAT, {"messages": turns})
    assert chat.prompt[0] == pytest.approx(len(true), rel=0.05)


def test_what_is_too_long_is_what_training_leaves_out() -> None:
    examples = [Example(number, {"text": "word " * number}, "ham") for number in range(1, 101)]
    for limit in (40, 64, 90):
        encoded = prepare.encode_examples(loading.load_tokenizer(BUILT_IN), SPAM, examples, limit)
        measured = lengths.measure(examples, SPAM, BUILT_IN, limit)
        assert measured.rows_over(limit) == encoded.too_long and measured.lengths.too_long == len(encoded.too_long) > 0
        assert measured.lengths.too_long - 1 == measured.lengths.answers_cut  # of one row only the end token is outside
        found = {one.problem.code: one for one in lengths.find_lengths(measured.lengths, measured)}["too-long"]
        assert found.rows.to_list() == encoded.too_long and found.problem.rows == tuple(encoded.too_long[:10])
        refused = pytest.raises(DataError) if found.problem.severity == "error" else None
        if refused:
            with refused:
                prepare.check_trainable(encoded, len(examples), limit)
        else:
            prepare.check_trainable(encoded, len(examples), limit)


def some(**changed: object) -> Lengths:
    facts = dict(
        base="b",
        rows=2000,
        sampled=2000,
        prompt=(9,) * 8,
        answer=(3,) * 8,
        total=(12, 12, 12, 12, 12, 12, 12, 2310),
        max_length=512,
        context=8192,
        too_long=7,
        answers_cut=5,
        over_context=0,
        trained_share=0.2,
    )
    return Lengths(**{**facts, **changed})


def test_messages_say_how_many_how_long_and_what_next() -> None:
    problem = lengths.find_lengths(some())[0].problem
    assert problem.message.startswith(
        "7 of 2,000 rows (0.4 %) are longer than 512 tokens and will be left out; the longest has 2,310."
    )
    assert "5 would lose" in problem.message and problem.severity == "warning" and problem.count == 7
    assert "Raise max_length to 2,310" in problem.hint and "8,192" in problem.hint
    assert "۲٬۳۱۰" in problem.said.fa and "۲٬۳۱۰" in problem.advice.fa
    assert (
        "sampled" in lengths.find_lengths(some(rows=90_000))[0].problem.message
        and "نمونه" in lengths.find_lengths(some(rows=90_000))[0].problem.said.fa
    )
    one = lengths.find_lengths(some(rows=1, sampled=1, too_long=1))[0].problem
    assert one.message.startswith("1 of 1 row (100 %) is longer") and one.said.fa.startswith("۱ سطر از ۱ سطر")
    assert lengths.find_lengths(some(too_long=1))[0].problem.message.startswith("1 of 2,000 rows (0.05 %) is longer")


@pytest.mark.parametrize(
    ("changed", "hint", "severity"),
    [
        ({"context": 512, "over_context": 7}, "no more than 512 tokens", "warning"),
        ({"context": 1024, "over_context": 3}, "to 1,024, the base's context; for the 3 longer still", "warning"),
        ({"too_long": 1001}, "Raise max_length", "error"),
        ({"too_long": 1000}, "Raise max_length", "warning"),
        (
            {"max_length": 1024, "context": 512, "too_long": 2, "over_context": 9},
            "Set max_length to 512 or less",
            "warning",
        ),
    ],
)
def test_hints_go_as_far_as_the_base_can_read(changed: dict, hint: str, severity: str) -> None:
    problem = lengths.find_lengths(some(**changed))[0].problem
    assert hint in problem.hint and problem.advice.fa and problem.severity == severity
    assert problem.count == changed.get("over_context" if changed.get("max_length") else "too_long", 7)


def test_little_trained_is_told_and_nothing_else_where_nothing_is_wrong() -> None:
    assert lengths.find_lengths(some(too_long=0, trained_share=0.02)) == []
    (found,) = lengths.find_lengths(some(too_long=0, trained_share=0.011))
    assert found.problem.code == "little-trained" and found.problem.severity == "info"
    assert (
        "Only 1.1 % of the tokens are trained" in found.problem.message
        and "۱٫۱٪" in found.problem.said.fa
        and found.problem.advice.fa
    )
    assert [one.problem.code for one in lengths.find_lengths(some(too_long=2000, trained_share=0.0))] == ["too-long"]


def test_counting_needs_no_transformers() -> None:
    code = (
        "import sys\nfrom lora_hub.catalogue import bases\nfrom lora_hub.data.prompts import lengths\nfrom "
        "lora_hub.data.prompts.prepare import Example\nfrom lora_hub.catalogue.tasks import catalogue\n"
        "lengths.measure([Example(1, {'text': 'hello'}, 'ham')], catalogue.get_task('spam'), "
        "bases.get_base('built-in'), 512)\n"
        "print(sorted({'transformers', 'torch', 'huggingface_hub'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.strip() == "[]"
