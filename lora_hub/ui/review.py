"""What the Fine-tune form says, turned into nouns and looked at: columns, problems, exact prompts, plan, readiness.

Knows no gradio: `Asked` is the form by names, `review` answers with a `View` of HTML pieces and the spec to start.
Errors of the data or of a setting become part of the view, beside the field they belong to; nothing typed is lost.
"""

import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lora_hub import bases, recipe, runs, store
from lora_hub.errors import DataError, LoraHubError, SpecError
from lora_hub.schema import BaseModel, DatasetInfo, Task, TrainSpec
from lora_hub.tasks import catalogue
from lora_hub.ui import render, render_data
from lora_hub.ui.text import t

OWN = "own"
MAX_INPUTS = 6
# A base that needs more than this share of the memory leaves little for anything else.
TIGHT_SHARE = 0.6


@dataclass(frozen=True)
class Asked:
    """The form. dataset, test: "fingerprint/name" in our store, empty where there is none. columns: chosen by role."""

    task: str = ""
    own: dict[str, str] = field(default_factory=dict)
    dataset: str = ""
    encoding: str = ""
    delimiter: str = ""
    skip_broken: bool = False
    test: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    base: str = bases.BUILT_IN
    effort: str = "balanced"
    name: str = ""
    overrides: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Any) -> "Asked":
        """The form as the browser kept it; what is not ours or of another kind is left out."""
        defaults = asdict(Asked())
        kept = {key: value for key, value in (data if isinstance(data, dict) else {}).items() if type(value) is type(defaults.get(key))}
        return Asked(**kept)


@dataclass
class View:
    """What the page shows for a form. roles: (role, chosen column, why it was taken). reason: why Train waits."""

    task: str = ""
    data: str = ""
    roles: list[tuple[str, str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    problems: str = ""
    prompts: str = ""
    base: str = ""
    plan: str = ""
    settings: str = ""
    reason: str = ""
    ready: bool = False
    spec: TrainSpec | None = None
    taken: dict[str, str] = field(default_factory=dict)


def review(asked: Asked, language: str, *, keep_columns: bool) -> View:
    """Looks at the form. keep_columns: the person chose the columns; else they are proposed anew."""
    view = View()
    task = _look_at_task(asked, view, language)
    inspection = _look_at_data(asked, task, view, language, keep_columns)
    base, fits = _look_at_base(asked, view, language)
    view.reason = _first_hindrance(task, inspection, view, fits, language)
    if not view.reason:
        _plan(asked, task, inspection, base, view, language)
    elif task is not None and base is not None:
        _explain_without_data(asked, task, inspection, base, view, language)
    return view


def exact_prompts(asked: Asked, language: str) -> str:
    """The first rows to the last character, as the base's own tokenizer gets them: its chat template's marks and the end
    token written out, with the number of tokens read and trained. Fetches the tokenizer where it is not here yet."""
    view = View()
    task = _look_at_task(asked, view, language)
    inspection = _look_at_data(asked, task, view, language, keep_columns=True)
    if task is None or inspection is None:
        return view.prompts
    from lora_hub import loading
    from lora_hub.data import prepare, template

    tokenizer = loading.load_tokenizer(bases.get_base(asked.base.strip()))
    examples = prepare.build_examples(inspection.table, task, view.taken)
    if task.output == "labels":
        task = task.model_copy(update={"labels": prepare.labels_of(examples)})
    shown = []
    for example in examples[: render_data.SHOWN_ROWS]:
        trained = template.encode_answer(tokenizer, example.answer)
        read = template.encode_prompt(tokenizer, task, example.inputs)
        shown.append({"prompt": tokenizer.decode(read), "completion": tokenizer.decode(trained), "read": len(read), "trained": len(trained)})
    return render_data.prompts(shown, language)


def read_task(asked: Asked) -> Task | None:
    """The chosen task, None before the choice. Raises SpecError for a task of one's own that is not whole."""
    if asked.task == OWN:
        given = {key: value.strip() for key, value in asked.own.items() if value.strip()}
        # The labels of one's own task come from the data, as those of the catalogue's do.
        task = catalogue.task_from_dict(given)
        if len(task.inputs) > MAX_INPUTS:
            raise SpecError(f"The task has {len(task.inputs)} inputs; the page shows {MAX_INPUTS}.", "Use the command line for this one.")
        return task
    return catalogue.get_task(asked.task) if asked.task else None


def dataset_id(file: Path) -> str:
    """The name under which the page knows a kept file."""
    return f"{file.parent.name}/{file.name}"


def dataset_path(name: str) -> Path:
    """The kept file of a dataset id. Raises DataError where it is gone, or where the id is not one of ours."""
    fingerprint, _, file = name.partition("/")
    if not re.fullmatch(r"[0-9a-f]{16}", fingerprint):
        raise DataError(f"{name!r} is no dataset of this app.", "Upload the file again.")
    return store.dataset_file(DatasetInfo(fingerprint=fingerprint, name=file, rows=0, columns=(), format=""))


def machine_memory() -> int:
    """Bytes a base may take: the GPU's where there is one, else the machine's."""
    import psutil

    if shutil.which("nvidia-smi"):
        asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
        if told.returncode == 0 and told.stdout.strip():
            return max(int(line) for line in told.stdout.split()) << 20
    return psutil.virtual_memory().total


def _look_at_task(asked: Asked, view: View, language: str) -> Task | None:
    try:
        task = read_task(asked)
    except LoraHubError as error:
        view.task = render.error_card(error)
        return None
    view.task = render_data.task_card(task, language) if task else render.note(t("choose_task", language))
    return task


def _look_at_data(asked: Asked, task: Task | None, view: View, language: str, keep_columns: bool) -> Any:
    view.prompts = render_data.prompts([], language)
    if not asked.dataset:
        view.data = render.empty(t("no_data", language))
        return None
    from lora_hub.data import inspection

    roles = [*task.inputs, "answer"] if task else []
    chosen = {role: column for role, column in asked.columns.items() if role in roles and column}
    reading = {"encoding": asked.encoding.strip(), "delimiter": asked.delimiter, "skip_broken": asked.skip_broken}
    file = None
    try:
        file = dataset_path(asked.dataset)
        seen = inspection.inspect_file(file, task, chosen if keep_columns else None, **reading)
    except LoraHubError as error:
        if file is None or not (keep_columns and chosen):
            view.data = render.error_card(error)
            return None
        # A column chosen wrongly is told where it was chosen, and the fields stay, so that another can be chosen.
        return _look_without_choice(asked, task, view, language, error)
    mapping = dict(seen.mapping) if task else {}
    shown = seen.table.frame.head(render_data.SHOWN_ROWS).rows()
    view.columns = list(seen.info.columns)
    view.taken = mapping
    view.roles = [(role, mapping.get(role, ""), "" if keep_columns else seen.reasons.get(role, "")) for role in roles]
    view.data = render_data.file_summary(seen.info, language) + render_data.first_rows(view.columns, shown, mapping, language)
    if task:
        view.problems = render.problems(seen.problems, language)
        view.prompts = render_data.prompts(seen.preview, language)
    return seen


def _look_without_choice(asked: Asked, task: Task | None, view: View, language: str, error: LoraHubError) -> None:
    """The file as it is, with the person's columns in their fields and what is wrong with that choice."""
    proposed = _look_at_data(asked, task, view, language, keep_columns=False)
    if proposed is not None:
        view.roles = [(role, asked.columns.get(role, ""), "") for role, _, _ in view.roles]
        view.problems, view.prompts = render.error_card(error), render_data.prompts([], language)


def _look_at_base(asked: Asked, view: View, language: str) -> tuple[BaseModel | None, bool]:
    try:
        base = bases.get_base(asked.base.strip())
    except LoraHubError as error:
        view.base = render.error_card(error)
        return None, False
    have = machine_memory()
    needed = bases.memory_bytes(base, train=True, batch=4, length=256, precision="fp32")
    fit = "unknown" if not needed else "large" if needed > have else "tight" if needed > TIGHT_SHARE * have else "fits"
    view.base = render_data.base_card(base, fit, needed, have, language)
    return base, fit != "large"


def _first_hindrance(task: Task | None, inspection: Any, view: View, fits: bool, language: str) -> str:
    """Why Train waits, empty where nothing stands against it."""
    if task is None:
        return t("not_ready_task", language)
    if inspection is None:
        return t("not_ready_problems" if view.roles else "not_ready_data", language)
    missing = [role for role, column, _ in view.roles if not column and role not in task.optional_inputs]
    if missing:
        shown = [t("role_answer", language) if role == "answer" else role for role in missing]
        return t("not_ready_columns", language, roles=", ".join(shown))
    if any(problem.severity == "error" for problem in inspection.problems):
        return t("not_ready_problems", language)
    return "" if fits else t("not_ready_base", language)


def _plan(asked: Asked, task: Task, inspection: Any, base: BaseModel, view: View, language: str) -> None:
    try:
        plan = runs.plan_run(
            dataset_path(asked.dataset), task, base, mapping=view.taken, effort=asked.effort, overrides=_overrides(asked),
            test_file=dataset_path(asked.test) if asked.test else None, name=asked.name.strip(),
            reading={"encoding": asked.encoding.strip(), "delimiter": asked.delimiter, "skip_broken": asked.skip_broken},
        )  # fmt: skip
    except SpecError as error:
        view.reason = error.message
        view.plan = render.error_card(error)
        return
    except LoraHubError as error:
        view.reason = t("not_ready_problems", language)
        view.problems = render.error_card(error) + view.problems
        return
    view.spec, view.ready = plan.spec, True
    view.plan = render_data.plan(plan.estimate.steps, plan.estimate.seconds, plan.estimate.memory_bytes, language)
    view.settings = _settings(plan.spec, language)


def _explain_without_data(asked: Asked, task: Task, inspection: Any, base: BaseModel, view: View, language: str) -> None:
    """The derived settings before everything is ready: by the rows there are, or a thousand."""
    info = inspection.info if inspection is not None else DatasetInfo(fingerprint="", name="", rows=1000, columns=(), format="")
    try:
        view.settings = _settings(recipe.make_spec(task, base, info, {}, effort=asked.effort, overrides=_overrides(asked)), language)
    except SpecError as error:
        view.plan = render.error_card(error)


def _settings(spec: TrainSpec, language: str) -> str:
    titles = {known.key: known.title.in_language(language) for known in recipe.FIELDS}
    return render_data.settings_table(recipe.explain(spec), titles, language)


def _overrides(asked: Asked) -> dict[str, str]:
    return {key: value.strip() for key, value in asked.overrides.items() if value.strip()}
