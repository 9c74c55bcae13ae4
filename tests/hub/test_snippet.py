"""The pasted code asks with exactly the prompt that the adapter was trained with."""

import pytest

from lora_hub.answering import loading, questions
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task, list_tasks
from lora_hub.core.schema import Task, Text2
from lora_hub.data.prompts.template import render_prompt
from lora_hub.hub import snippet

ODD = Task(
    id="odd",
    title=Text2(en="Odd"),
    instruction=Text2(en='Say "yes" or {no}\\n', fa="بگو"),
    inputs=("text", "hint"),
    optional_inputs=("hint",),
    output="labels",
    labels=("it's", '{text} """', "```"),
    template="{instruction}\n{labels}\n\nHint: {hint}\nA {text} and {unknown} and {text}!",
    prompt_language="en",
)


def run_prompt_code(task: Task, inputs: dict[str, str]) -> str:
    source = snippet.prompt_code(task)
    given, rest = source.split("\n", 1)
    names: dict = {}
    exec(given, names)
    assert set(names["inputs"]) == set(task.inputs)
    names["inputs"] = inputs
    exec(rest, names)
    return names["prompt"]


@pytest.mark.parametrize("task", [*list_tasks(), ODD], ids=lambda task: task.id)
def test_prompt_is_the_one_trained_on(task: Task) -> None:
    if task.is_chat:
        names: dict = {}
        exec(snippet.prompt_code(task), names)
        assert names["messages"][0]["role"] == "user"
        return
    if task.output == "labels" and not task.labels:
        task = task.model_copy(update={"labels": ("ham", "spam")})
    rows = [{role: f'the {role} {{text}} "quoted" \\ line\nbreak' for role in task.inputs}]
    rows += [{**rows[0], role: " "} for role in task.optional_inputs]
    for inputs in rows:
        assert run_prompt_code(task, inputs) == render_prompt(task, inputs)


def test_many_labels_are_not_listed() -> None:
    task = ODD.model_copy(update={"labels": tuple(f"intent {number}" for number in range(77))})
    inputs = {"text": "t", "hint": "h"}
    assert run_prompt_code(task, inputs) == render_prompt(task, inputs)
    assert "intent 3" not in snippet.prompt_code(task)


def test_persian_prompts_stay_readable() -> None:
    task = ODD.model_copy(update={"prompt_language": "fa"})
    assert "بگو" in snippet.prompt_code(task)


@pytest.mark.parametrize("chat_template", [True, False])
@pytest.mark.parametrize("task", list_tasks(), ids=lambda task: task.id)
def test_the_whole_is_python(task: Task, chat_template: bool) -> None:
    told = {"end_token": "<|im_end|>", "end_tokens": ["<|im_end|>", "</s>"], "dtype": "bfloat16"}
    for labels in ((), ("it's", '"""', "\\")):
        task = task.model_copy(update={"labels": labels if task.output == "labels" else ()})
        code = snippet.write(
            task, repo_id="org/it's", base='b"ase', base_revision="abc", chat_template=chat_template, **told
        )
        compile(code, "card", "exec")
        assert "revision='abc'" in code and "'<|im_end|>'" in code and "dtype=torch.bfloat16" in code
        assert ("labels = " in code) == bool(task.labels) and ("generate" in code) == (not task.labels)
    assert "evil" not in snippet.write(task, repo_id="o/n", base="b", dtype="float32); evil(")


@pytest.mark.parametrize("labels", [("ham", "spam"), ("card", "card lost", "pin")], ids=["apart", "one begins another"])
def test_its_shares_are_those_of_the_exam(labels: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """The code itself, with the base in the adapter's place."""
    base = bases.get_base("built-in")
    tokenizer, model = loading.load_tokenizer(base), loading.load_base(base)
    stack, task = AdapterStack(model, base), get_task("spam").model_copy(update={"labels": labels})
    asked = questions.put(tokenizer, task, [{"text": "Put the text here."}])
    answer = questions.answer_all(stack, tokenizer, asked, max_new_tokens=1)[0]
    code = snippet.write(task, repo_id="o/n", base="b", chat_template=bool(tokenizer.chat_template))
    code = "\n".join(line for line in code.split("\n") if "from_pretrained" not in line)
    exec(code, {"tokenizer": tokenizer, "model": model})
    said = dict(reversed(line.split("% ")) for line in capsys.readouterr().out.strip().split("\n"))
    assert {label: float(share) for label, share in said.items()} == {
        label: pytest.approx(100 * chance, abs=0.06) for label, chance in answer.probabilities.items()
    }
    assert asked[0].ends == (len(labels) == 3)
