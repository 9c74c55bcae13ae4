"""The task catalogue: one YAML file for each task beside this module, samples in `samples/`. Also reads tasks that
people define.

    get_task("spam")                  a task of the catalogue
    get_task("my/reviews.yaml")       a task that a person defined, from a file
    get_task("lora_hub.json")         the task of an adapter, from the record in its repo
    task_from_dict({"title": "Tone", "labels": ["formal", "casual"], "instruction": "Which tone is this?"})

A person's task may leave out nearly everything. `id` comes from the title, `template` from the inputs, `metrics` and
`output` from whether there are labels. A plain string counts as an English text.

Template rules (rendered by `data.template`): `{instruction}`, `{labels}` and one `{role}` for each input; a role with
one of those two names means the row's own value. A line is left out if its optional input is empty, or if its
`{labels}` are none or too many. So each of these needs a line of its own.
"""

import difflib
import json
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_hub.catalogue.tasks.frames import FIELD, default_template, translated
from lora_hub.core.disk import expand
from lora_hub.core.errors import SpecError, refused
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Task
from lora_hub.evaluation import metrics

FOLDER = Path(__file__).parent
# The order in which tasks are offered; YAML files not named here follow, sorted by name.
FIRST = (
    "spam",
    "sentiment",
    "topic",
    "intent",
    "translation",
    "question-answering",
    "summarization",
    "instruction",
    "chat",
    "text-to-sql",
    "grammar",
)
MAX_TASK_FILE = 256 * 1024  # bytes; a task is a page of text, so a larger file was given by mistake


def offered(folder: Path) -> tuple[str, ...]:
    """The ids of the tasks in a folder, one YAML file each, in the order they are offered."""
    there = {file.stem for file in folder.glob("*.yaml")}
    return (*(name for name in FIRST if name in there), *sorted(there.difference(FIRST)))


ORDER = offered(FOLDER)


def list_tasks() -> list[Task]:
    """The tasks of the catalogue, in its order."""
    return [_read_task(FOLDER / f"{name}.yaml") for name in ORDER]


def get_task(name: str) -> Task:
    """A task by its catalogue id, or from a person's YAML file by its path.

    Raises SpecError: no such task (with the nearest names), no such file, or a file that is not a valid task.
    """
    name = str(name).strip()
    if name in ORDER:
        return _read_task(FOLDER / f"{name}.yaml")
    path = expand(name)
    if path.suffix.lower() in (".yaml", ".yml", ".json") or os.path.isfile(path):
        return _read_task(path)
    near = difflib.get_close_matches(name.lower().replace("_", "-").replace(" ", "-"), ORDER, n=2, cutoff=0.5)
    hint = _("The tasks are {tasks}; or give a YAML file.", tasks=ORDER)
    if near:
        hint = _("Did you mean {near}?", near=several(near, "or"))
    raise SpecError(_("There is no task {name!r}."), hint, name=name)


def has_task(task: Task) -> bool:
    """Whether the catalogue's task of this id is this one, in any language; labels that come from the data come from it
    again."""
    if task.id not in ORDER:
        return False
    known = in_language(get_task(task.id), task.prompt_language)
    return known == task.model_copy(update={"labels": known.labels}) and known.labels in ((), task.labels)


def task_from_dict(data: dict[str, Any]) -> Task:
    """A task from plain data, such as the page's form or a YAML file, with missing parts filled in.

    Raises SpecError that names the field and the value.
    """
    if not isinstance(data, dict):
        said = _(
            "A task is a set of named fields, not {value}.",
            value=json.dumps(data, ensure_ascii=False, default=str)[:60],
        )
        raise SpecError(said, _FIELDS_HINT)
    filled = {key: value for key, value in data.items() if value is not None}
    for key in ("inputs", "optional_inputs", "labels", "metrics"):
        if key in filled:
            filled[key] = _as_names(key, filled[key])
    for key in ("title", "instruction", "answer"):
        if isinstance(filled.get(key), str):
            filled[key] = {"en": filled[key].strip()}
    for key in ("title", "instruction"):
        texts = filled.get(key)
        if not texts or (isinstance(texts, dict) and not str(texts.get("en") or texts.get("fa") or "").strip()):
            raise SpecError(_("The task's {key!r} is missing."), _FIELDS_HINT, key=key)
        if isinstance(texts, dict) and not texts.get("en"):
            filled[key] = {**texts, "en": texts["fa"]}
    _fill_defaults(filled)
    try:
        task = Task.model_validate(filled)
    except ValidationError as error:
        raise _spec_error(error) from error
    _check_template(task)
    for metric in task.metrics:
        if metric not in metrics.METRICS:
            raise SpecError(
                _("The task's 'metrics' names {metric!r}."),
                _("The metrics are {metrics}."),
                metric=metric,
                metrics=tuple(metrics.METRICS),
            )
    return task


def in_language(task: Task, language: str) -> Task:
    """The task in another language: its instruction, and the template's frame (the fixed text around the inputs) if the
    template is the catalogue's or a default. A template that a person wrote is kept. A task that is already in that
    language is unchanged."""
    if language == task.prompt_language:
        return task.model_copy(update={"prompt_language": language})
    known = [_read_task(FOLDER / f"{task.id}.yaml").template] if task.id in ORDER else []
    known.append(default_template(task.inputs, task.output == "labels", "en"))
    for english in known:
        frames = {"en": english, "fa": translated(english)}
        if not task.is_chat and task.template in frames.values():
            return task.model_copy(update={"prompt_language": language, "template": frames[language]})
    return task.model_copy(update={"prompt_language": language})


def sample_file(task: Task) -> Path | None:
    """The sample of a catalogue task, or None."""
    if not task.sample:
        return None
    # Use only the file name: a task from a stranger's adapter must not point at other files of this machine.
    path = FOLDER / "samples" / Path(task.sample).name
    return path if path.is_file() else None


_FIELDS_HINT = _(
    "A task has: title, instruction, inputs, output (labels or text), and labels where there are only these."
)


def _read_task(path: Path) -> Task:
    import yaml

    from lora_hub.core import bounded_yaml

    try:
        size = path.stat().st_size
        if size > MAX_TASK_FILE:
            raise SpecError(
                _("{name} is too large for a task file ({size:,} bytes)."), _FIELDS_HINT, name=path.name, size=size
            )
        data = bounded_yaml.load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpecError(
            _("The task file {path!r} cannot be read: {reason}."),
            _("Give the path of a YAML file."),
            path=path,
            reason=error.strerror,
        ) from error
    except UnicodeDecodeError as error:
        raise SpecError(_("The task file {path!r} is not UTF-8 text."), _("Save it as UTF-8."), path=path) from error
    except bounded_yaml.DoubledKey as error:
        raise SpecError(
            _("The task file {path!r} has the key {key!r} twice; the second one is in line {line}."),
            _("Remove one of the two."),
            path=path,
            key=error.problem,
            line=error.problem_mark.line + 1,
        ) from error
    except bounded_yaml.Unbounded as error:
        raise SpecError(
            _("The task file {path!r} is nested too deeply or grows too large by its aliases, at line {line}."),
            _("Write the task without nested lists and aliases (*name)."),
            path=path,
            line=error.problem_mark.line + 1,
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        if mark is None:  # a character that YAML does not allow
            raise SpecError(
                _("The task file {path!r} is not valid YAML."), _("Save it again as plain text, in UTF-8."), path=path
            ) from error
        raise SpecError(
            _("The task file {path!r} is not valid YAML at line {line}."),
            _("Look at that line: quotes, colons, indent."),
            path=path,
            line=mark.line + 1,
        ) from error
    is_record = isinstance(data, dict) and isinstance(data.get("task"), dict) and "spec" in data
    return task_from_dict(data["task"] if is_record else data)


def _as_names(key: str, value: Any) -> list[str]:
    """A list of names, from a list or from a string separated by commas or line breaks, as a person types it."""
    items = re.split(r"[,،\n]", value) if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        raise SpecError(
            _("The task's {key!r} is {value!r}, not a list of names."),
            _("Put commas between names."),
            key=key,
            value=str(value),
        )
    # YAML reads an unquoted yes, no or 1 as a boolean or a number; a label is text.
    names = [("yes" if item else "no") if isinstance(item, bool) else str(item).strip() for item in items]
    names = [name for name in names if name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            _("The task's {key!r} names {twice!r} twice."),
            _("Remove one of the two."),
            key=key,
            twice=twice[0],
        )
    return names


def _fill_defaults(filled: dict[str, Any]) -> None:
    """Derives missing parts from the others: id, inputs, output, template, metrics, length of the answer."""
    if not filled.get("id"):
        title = str(filled["title"].get("en", "") if isinstance(filled["title"], dict) else "")
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:48].strip("-")
        filled["id"] = slug or "my-task"
    if not filled.get("inputs"):
        filled["inputs"] = ["text"]
    for role in filled["inputs"]:
        if not role.isidentifier():
            raise SpecError(
                _("The task's 'inputs' names {role!r}."),
                _("A name is letters, digits and _, without spaces."),
                role=role,
            )
    if not filled.get("output"):
        filled["output"] = "labels" if filled.get("labels") else "text"
    is_labels = filled["output"] == "labels"
    if not filled.get("template") and filled["inputs"] != ["messages"]:
        if not filled.get("prompt_language") and _is_persian(filled["instruction"]):
            filled["prompt_language"] = "fa"
        filled["template"] = default_template(filled["inputs"], is_labels, filled.get("prompt_language", "en"))
    if not filled.get("metrics"):
        filled["metrics"] = list(metrics.of_labels() if is_labels else ("rougeL", "chrf"))
    if not filled.get("max_new_tokens"):
        filled["max_new_tokens"] = 32 if is_labels else 128


def _is_persian(instruction: Any) -> bool:
    """Whether an instruction has one text only and that text is in Persian letters, as when a person writes it in the
    Persian page."""
    texts = (
        {str(text) for text in instruction.values() if text} if isinstance(instruction, dict) else {str(instruction)}
    )
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    return len(texts) == 1 and 2 * sum("\u0600" <= letter <= "\u06ff" for letter in letters) > len(letters)


def _check_template(task: Task) -> None:
    """Raises SpecError if the template lacks an input, names an unknown one, or could not be rendered."""
    if task.is_chat:
        if task.template:
            raise SpecError(
                _("The task's 'template' is not used with the input 'messages'."),
                _("Leave the template out."),
            )
        return
    if task.template != task.template.strip():
        raise SpecError(_("The task's 'template' begins or ends in a space or an empty line."), _("Remove it."))
    known = {*task.inputs, "instruction", "labels"}
    seen: set[str] = set()
    for line in task.template.split("\n"):
        fields = FIELD.findall(line)
        for name in fields:
            if name not in known:
                raise SpecError(
                    _("The task's 'template' names {{{name}}}, which is no input."),
                    _("The inputs are {inputs}; {{instruction}} and {{labels}} may be used too."),
                    name=name,
                    inputs=task.inputs,
                )
        droppable = {*task.optional_inputs, "labels"} & set(fields)
        if droppable and len(set(fields)) > 1:
            raise SpecError(
                _("The task's 'template' has {{{name}}} and more in {line!r}."),
                _("Give it a line of its own: the line is left out where it is empty."),
                name=sorted(droppable)[0],
                line=line,
            )
        seen |= set(fields)
    # The system prompt is a separate turn, before the user's turn that the template makes.
    missing = [role for role in task.inputs if role not in seen and role != "system"]
    if missing:
        raise SpecError(
            _("The task's 'template' lacks the input {{{name}}}."),
            _("Write {{{name}}} where it belongs."),
            name=missing[0],
        )


def _spec_error(error: ValidationError) -> SpecError:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, Task.model_fields, n=1)
        hint = (
            _("Did you mean {near}?", near=several(near, quoted=True))
            if near
            else _("The fields are {fields}.", fields=list(Task.model_fields))
        )
        return SpecError(_("A task has no field {field!r}."), hint, field=field)
    if not field:
        message = _("The task will not do: {reason}.")
    elif isinstance(first["input"], dict):
        message = _("The task's {field!r} will not do: {reason}.")
    else:
        message = _("The task's {field!r} is {value!r}: {reason}.")
    return SpecError(message, _FIELDS_HINT, field=field, value=str(first["input"]), reason=refused(first))
