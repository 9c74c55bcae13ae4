"""The code on a card that a reader pastes: base and adapter by PEFT, the prompt as the adapter was trained, the answer
printed.

It needs nothing of LoRA Hub. What `data/template` does with a row at run time is written out here as plain Python, so
both have to say the same; tests/hub/test_snippet.py runs the code and compares, for every task of the catalogue.
"""

from collections.abc import Sequence
from typing import Any

from lora_hub.catalogue.tasks.frames import FIELD
from lora_hub.core.schema import Task
from lora_hub.data.prompts.chat_template import TEMPLATE_VARIABLES
from lora_hub.data.prompts.template import MAX_LISTED_LABELS, has_system_turn, listed_labels

# What a model computes in; anything else in a record is no name to write into code.
DTYPES = ("float32", "bfloat16", "float16")
# Characters of labels, as code, that stand in the code itself; longer ones are read from the adapter's record.
LONGEST_LABELS = 4_000

_SYSTEM_BEFORE = r'prompt = "\n\n".join(text for text in (inputs["system"].strip(), prompt) if text)'


def write(
    task: Task,
    *,
    repo_id: str,
    base: str,
    base_revision: str = "",
    chat_template: bool = True,
    end_token: str = "",
    end_tokens: Sequence[str] = (),
    opening: str = "",
    space: str | None = None,
    system_turn: bool = True,
    dtype: str = "",
    is_merged: bool = False,
) -> str:
    """Python source that loads `base` (Hub id or folder) with the adapter `repo_id` and prints an answer: of a task
    with labels the label with the highest likelihood, as the scores on the card were made, else what greedy generation
    writes. is_merged: `base` has the adapter in its weights.

    `chat_template`: whether the base's tokenizer has one. The rest is what an adapter's record says of asking
    (`exam.asking`), where
    it is known: `end_token`, which was trained behind each answer; `end_tokens`, all that end one; `opening`: what the
    template writes between its generation prompt and an answer; `space`: what an answer itself begins with;
    `system_turn`: whether the template has a place for one; `dtype`: torch's name of what the scores were computed in.
    """
    revision = f", revision={base_revision!r}" if base_revision else ""
    has_labels = task.output == "labels" and bool(task.labels)
    dtype = dtype if dtype in DTYPES else ""
    loading = f".from_pretrained(BASE{revision}{f', dtype=torch.{dtype}' if dtype else ''})"
    loaded = [
        f"base = AutoModelForCausalLM{loading}",
        f"model = PeftModel.from_pretrained(base, {repo_id!r}).eval()",
    ]
    if is_merged:
        loaded = [f"model = AutoModelForCausalLM{loading}.eval()"]
    space = ("" if chat_template else " ") if space is None else space
    parts = [
        *(["import torch"] if has_labels or dtype else []),
        *([] if is_merged else ["from peft import PeftModel"]),
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        f"BASE = {base!r}",
        f"tokenizer = AutoTokenizer.from_pretrained(BASE{revision})",
        *loaded,
        "",
        prompt_code(task),
        *(_chat_code(task, opening, system_turn) if chat_template else _plain_code(task)),
        *(_label_code(task, repo_id, end_token, space) if has_labels else _text_code(task, end_token, end_tokens)),
    ]
    return "\n".join(parts)


def _labels(task: Task, repo_id: str) -> list[str]:
    labels = f"labels = {[label.strip() for label in task.labels]!r}"
    if len(labels) <= LONGEST_LABELS:
        return [labels]
    return [
        "import json",
        "from huggingface_hub import hf_hub_download",
        f'record = json.load(open(hf_hub_download({repo_id!r}, "lora_hub.json"), encoding="utf-8"))',
        'labels = [label.strip() for label in record["task"]["labels"]]',
    ]


def _label_code(task: Task, repo_id: str, end_token: str, space: str) -> list[str]:
    end = f"tokenizer.convert_tokens_to_ids({end_token!r})" if end_token else "tokenizer.eos_token_id"
    text = f"{space!r} + label" if space else "label"
    return [
        *_labels(task, repo_id),
        f'answers = [tokenizer({text}, add_special_tokens=False)["input_ids"] for label in labels]',
        "# Where one label begins another, the token that ends it counts, too.",
        "if any(a is not b and b[: len(a)] == a for a in answers for b in answers):",
        f"    answers = [answer + [{end}] for answer in answers]",
        "logs = []  # log likelihood of each whole label",
        "for answer in answers:",
        "    whole = torch.cat([ids, torch.tensor([answer])], dim=1)",
        "    with torch.no_grad():",
        "        steps = model(whole).logits[0, ids.shape[1] - 1 : -1].float().log_softmax(-1)",
        "    logs.append(sum(steps[place, token].item() for place, token in enumerate(answer)))",
        "for label, share in sorted(zip(labels, torch.tensor(logs).softmax(-1).tolist()), key=lambda one: -one[1]):",
        '    print(f"{share:6.1%} {label}")',
    ]


def _text_code(task: Task, end_token: str, end_tokens: Sequence[str]) -> list[str]:
    ends = list(end_tokens) or ([end_token] if end_token else [])
    end = f", eos_token_id=tokenizer.convert_tokens_to_ids({ends!r})" if ends else ""
    return [
        (
            f"output = model.generate(ids, attention_mask=ids.new_ones(ids.shape), "
            f"max_new_tokens={task.max_new_tokens}, "
            f"do_sample=False{end})"
        ),
        "print(tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip())",
    ]


def prompt_code(task: Task) -> str:
    """Source that ends with `prompt` (for a chat: `messages`) set from a row's `inputs`."""
    if task.is_chat:
        return 'messages = [{"role": "user", "content": "Put your words here."}]'
    given = ", ".join(f"{role!r}: {f'Put the {role} here.'!r}" for role in task.inputs)
    parts = [
        f"inputs = {{{given}}}  # what to ask about",
        "lines = [  # the prompt, as it was in the training",
        *(f"    {line}," for line in _lines(task)),
        "]",
        r'prompt = "\n".join(lines).strip()',
    ]
    return "\n".join(parts)


def _lines(task: Task) -> list[str]:
    """Each line of the template as an expression over `inputs`; a line whose optional input is empty is left out."""
    listed = 0 < len(task.labels) <= MAX_LISTED_LABELS
    known = {"instruction": task.instruction.in_language(task.prompt_language), "labels": listed_labels(task)}
    expressions = []
    for line in task.template.split("\n"):
        fields = set(FIELD.findall(line))
        if "labels" in fields and "labels" not in task.inputs and not listed:
            continue
        expression = _line(line, task, known)
        optional = [role for role in task.optional_inputs if role in fields]
        if optional:
            condition = " and ".join(f"inputs[{role!r}].strip()" for role in optional)
            expression = f"*([{expression}] if {condition} else [])"
        expressions.append(expression)
    return expressions


def _line(line: str, task: Task, known: dict[str, str]) -> str:
    pieces: list[str] = []
    text = ""
    position = 0
    for field in FIELD.finditer(line):
        text += line[position : field.start()]
        position = field.end()
        if field[1] in task.inputs:
            pieces += [repr(text)] if text else []
            pieces.append(f"inputs[{field[1]!r}]")
            text = ""
        else:
            text += known.get(field[1], field[0])
    text += line[position:]
    return " + ".join(pieces + ([repr(text)] if text or not pieces else []))


def messages_code(task: Task, chat_template: bool = True, *, system_turn: bool = True, **told: Any) -> list[str]:
    """Source that follows `prompt_code`: for a base with a chat template it sets `messages`, else `text`. told: what
    else a record says of asking, which a server that knows the base's template does by itself."""
    return _messages(task, system_turn) if chat_template else _text(task)


def _messages(task: Task, system_turn: bool) -> list[str]:
    messages = [] if task.is_chat else ['messages = [{"role": "user", "content": prompt}]']
    if has_system_turn(task) and system_turn:
        messages += [
            'if inputs["system"].strip():',
            '    messages.insert(0, {"role": "system", "content": inputs["system"].strip()})',
        ]
    elif has_system_turn(task):
        messages = [_SYSTEM_BEFORE, *messages]
    return messages


def _chat_code(task: Task, opening: str, system_turn: bool) -> list[str]:
    variables = ", ".join(f"{key}={value!r}" for key, value in TEMPLATE_VARIABLES.items())
    return [
        *_messages(task, system_turn),
        f"text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, {variables})",
        *([f"text += {opening!r}  # what stands before every answer"] if opening else []),
        'ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]',
    ]


def _text(task: Task) -> list[str]:
    if task.is_chat:
        text = r'''text = "\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages) + "\nAssistant:"'''
    else:
        cue = task.answer.in_language(task.prompt_language)
        ending = "\n" + cue[:1].upper() + cue[1:] + ":"
        text = f"text = prompt.rstrip() + {ending!r}"
    return [*([_SYSTEM_BEFORE] if has_system_turn(task) else []), text]


def _plain_code(task: Task) -> list[str]:
    return [
        *_text(task),
        'ids = tokenizer(text, return_tensors="pt")["input_ids"]',
        "if tokenizer.bos_token_id != tokenizer.eos_token_id and ids[0, -1] == tokenizer.eos_token_id:",
        "    ids = ids[:, :-1]  # the prompt has to stay open",
    ]
