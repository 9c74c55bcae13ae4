"""The Fine-tune form, turned into nouns and checked: columns, problems, exact prompts, plan, readiness.

    view = review(asked, "en", inspector)      a `View` of HTML pieces, and the spec to start
    first = glance(asked, "en", inspector)     its first half, for a file that has just arrived
    review(asked, "en", inspector, first=first)

Knows no gradio. Errors in the data or a setting become part of the view, beside their field; nothing that a person
typed or corrected is lost. `inspector` (data.inspector.Inspector) caches what it read, so that the next change of a
form only costs what it changes.
"""

from dataclasses import replace
from typing import Any

from lora_hub import runs, use_cases
from lora_hub.catalogue import bases, hardware
from lora_hub.core import spec_fields
from lora_hub.core.errors import AdapterError, DataError, LoraHubError, SpecError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BaseModel, DatasetInfo, Task, TrainSpec
from lora_hub.people import Person
from lora_hub.training import recipe
from lora_hub.ui.render import (
    render,
    render_data,
    render_plan,
    render_problems,
    render_table,
    render_works,
)
from lora_hub.ui.render.page_words import OWN_TITLES, setting_of
from lora_hub.ui.render.text import own_digits, t
from lora_hub.ui.tabs.finetune.asked import Asked, own_wanting, read_task, roles_of, setting_field
from lora_hub.ui.tabs.finetune.review_bases import base_card, mark_bases
from lora_hub.ui.tabs.finetune.review_parent import chosen_file, look_at_parent
from lora_hub.ui.tabs.finetune.review_report import doubt_of, report
from lora_hub.ui.tabs.finetune.view import View
from lora_hub.works_in import marks_of_spec

# The exact prompts show the first usable rows among this many.
TRIED_ROWS = 200


def review(
    person: Person,
    asked: Asked,
    language: str,
    inspector: Any,
    opened: str = "",
    first: View | None = None,
    *,
    is_listed: bool = False,
) -> View:
    """Reviews the form with this person's rights. opened: the code of the problem whose rows are shown. first: a
    `glance` at this same form. is_listed: there are tasks on the list, whose base it has."""
    view = replace(first) if first is not None else _look(person, asked, language, inspector)
    task, inspection = view.taken, view.seen
    if inspection is not None:
        view.problems = ""  # the plan shows them with its own
    base, fits, doubt = _look_at_base(person, asked, view, language, inspector)
    view.reason = _first_hindrance(task, inspection, view, language) or (
        "" if base else t(_("Choose a base that fits (step 4)."), language)
    )
    plan = None
    trouble = _look_at_name(asked, view, language)
    if not view.reason:
        plan = _plan(person, asked, inspection, base, view, language, inspector, fits)
        if plan is not None:  # what these rows need, as the plan and the list of bases tell it
            view.base, _fits = base_card(base, plan.estimate.memory_bytes, doubt, language)
    elif task is not None and base is not None:
        _explain_without_data(asked, task, inspection, base, view, language)
    only = view.begins_from.base.id if view.begins_from is not None else asked.base if is_listed else ""
    view.bases = mark_bases(person, asked, task, inspection, plan, language, only)
    view.measuring = runs.is_measuring()
    if trouble and not view.reason:
        view.reason, view.ready, view.spec = trouble, False, None
    if inspection is not None and task is not None:
        if plan is None and base is not None and not view.spec:
            inspection = inspector.with_lengths(inspection, base)
        seen = plan.inspection if plan else inspection
        view.problems += report(asked, task, seen, plan.problems if plan else inspection.problems, opened, language)
        view.lengths = render_plan.lengths(seen.info.lengths, language)
        view.doubt = doubt_of(inspection.problems, language)
    return view


def glance(person: Person, asked: Asked, language: str, inspector: Any) -> View:
    """The first half of a review, for a file that has just arrived: its contents and its problems. Lengths and the plan
    take as long again."""
    view = _look(person, asked, language, inspector)
    if view.seen is not None:
        view.problems = report(asked, view.taken, view.seen, view.seen.problems, "", language)
    return view


def _look(person: Person, asked: Asked, language: str, inspector: Any) -> View:
    """Reads the task and the file."""
    view = View()
    view.taken = _look_at_task(asked, view, language)
    view.taken = look_at_parent(person, asked, view, language, inspector)
    view.seen = _look_at_data(person, asked, view.taken, view, language, inspector)
    return view


def exact_prompts(person: Person, asked: Asked, language: str, inspector: Any) -> str:
    """The first rows exactly as the base's own tokenizer encodes them: the chat template's markers and the end token
    are written out, with the numbers of tokens read and trained. Downloads the tokenizer if it is not here yet."""
    view = _look(person, asked, language, inspector)
    inspection = view.seen
    if inspection is None:
        return view.prompts
    from lora_hub.answering import loading
    from lora_hub.data.prompts import prepare, template

    tokenizer = loading.load_tokenizer(use_cases.find_base(person, asked.base.strip()))
    table = inspection.table
    few = replace(table, frame=table.frame.head(TRIED_ROWS), row_numbers=table.numbers().head(TRIED_ROWS))
    examples = prepare.build_examples(few, inspection.task, inspection.mapping)
    task = inspection.planned.task
    shown = []
    refused = set(prepare.find_refused(tokenizer, task, examples)[0])  # the findings report them
    for example in prepare.written(
        tokenizer, [one for one in examples if one.row not in refused][: render_data.SHOWN_ROWS]
    ):
        trained = template.encode_answer(tokenizer, example.answer)
        read = template.encode_prompt(tokenizer, task, example.inputs)
        shown.append(
            {
                "prompt": tokenizer.decode(read),
                "completion": tokenizer.decode(trained),
                "read": len(read),
                "trained": len(trained),
            }
        )
    return render_data.prompts(shown, language)


def _look_at_name(asked: Asked, view: View, language: str) -> str:
    """Why the adapter's name is invalid, which the view has beside the field; empty if it is valid."""
    from lora_hub.hub import check_name

    try:
        check_name(asked.name.strip())
    except LoraHubError as error:
        view.name, view.error = render.error_card(error, language), error
        return render.told(error, language)[0]
    return ""


def _look_at_task(asked: Asked, view: View, language: str) -> Task | None:
    wanting = own_wanting(asked)
    if wanting:
        names = [_("“{name}”", name=OWN_TITLES[key]) for key in wanting]
        said = t(_("Fill in {fields} (step 1).", fields=names), language)
        view.task, view.wanting, view.error = render.note(said), said, SpecError(said)
        return None
    try:
        task = read_task(asked)
        task = recipe.with_language(task, asked.settings()) if task else None
    except LoraHubError as error:
        view.task, view.error = render.error_card(error, language), error
        view.wanting = t(_("Put your own task right (step 1)."), language)
        return None
    view.task = (
        render_data.task_card(task, language)
        if task
        else render.note(t(_("Choose a task, or drop a file: the columns often tell the task."), language))
    )
    return task


def _look_at_data(person: Person, asked: Asked, task: Task | None, view: View, language: str, inspector: Any) -> Any:
    """The file's Inspection for the task; None if there is none, with the reason in the view."""
    view.prompts = render_data.prompts([], language)
    if not asked.dataset:
        return None
    try:
        file, reading = chosen_file(person, asked, task, view, inspector)
        table = use_cases.read_dataset(person, inspector, file, **reading)
    except LoraHubError as error:
        view.data, view.is_broken, view.error = render.error_card(error, language), True, error
        return None
    view.columns = list(table.columns)
    view.read_as = DatasetInfo(
        fingerprint=file.parent.name,
        name=file.name,
        rows=table.rows,
        columns=tuple(table.columns),
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        sheet=table.sheet,
        sheets=tuple(table.sheets),
    )
    roles = roles_of(task)
    chosen = {role: asked.columns[role] for role in roles if role in asked.columns}
    gone = {role: column for role, column in chosen.items() if column and column not in table.columns}
    chosen = {role: column for role, column in chosen.items() if role not in gone}
    view.data = render_table.file_summary(view.read_as, table.rows, language) + render_table.gone_columns(
        gone, language
    )
    if task is None:
        view.data += _refusal(table, language)
        view.preview = render_table.preview(table, {}, language)
        return None
    try:
        seen = use_cases.inspect_dataset(person, inspector, file, task, chosen, mends=asked.mends_to_do(), **reading)
    except LoraHubError as error:
        # A column chosen twice, or data that does not fit the task: the fields and the table stay visible, so that the
        # person can see and change it.
        view.roles = [(role, chosen.get(role, ""), "") for role in roles]
        view.preview = render_table.preview(table, chosen, language)
        view.error = error
        view.problems = render.error_card(error, language) + (render_problems.way_back(language) if asked.mends else "")
        return None
    view.read_as = seen.info
    view.roles = [(role, seen.mapping.get(role, ""), _reason(seen.reasons.get(role), language)) for role in roles]
    view.data = render_table.file_summary(seen.info, table.rows, language) + render_table.gone_columns(gone, language)
    view.data += render_table.parts(view.parts, language)
    view.preview = render_table.preview(seen.table, seen.mapping, language)
    view.prompts = render_data.prompts(seen.preview, language)
    return seen


def _reason(reason: Message | None, language: str) -> str:
    return own_digits(t(reason, language), language) if reason is not None else ""


def _refusal(table: Any, language: str) -> str:
    """Why no task can be trained on this; empty if one can."""
    from lora_hub.data.columns import columns

    try:
        columns.propose_task(table)
    except LoraHubError as error:
        return render.error_card(error, language)
    return ""


def _look_at_base(
    person: Person, asked: Asked, view: View, language: str, inspector: Any
) -> tuple[BaseModel | None, bool, LoraHubError | None]:
    """The base, whether it fits this machine, and what is doubtful about it; None if no base has that name, with the
    reason in the view."""
    try:
        base = use_cases.find_base(person, asked.base.strip())
        doubt = inspector.check_base(person, base) if hasattr(inspector, "check_base") else None
    except bases.NotHereYet as error:
        view.wanted, view.error = render_plan.wanted_base(error.wanted, language), error
        view.base = render.note(render.told(error, language)[0], "warn")
        return None, False, None
    except LoraHubError as error:
        view.base, view.error = render.error_card(error, language), error
        return None, False, None
    needed = bases.memory_bytes(base, train=True, batch=4, length=256, precision="fp32", with_process=True)
    view.base, fits = base_card(base, needed, doubt, language)
    return base, fits, doubt


def _first_hindrance(task: Task | None, inspection: Any, view: View, language: str) -> str:
    """Why Train is disabled before any base is checked; empty if nothing prevents it."""
    if task is None:
        return view.wanting or t(_("Choose a task first (step 1)."), language)
    if inspection is None:
        return t(
            _("Mend what is marked red in step 3.") if view.roles else _("Drop a file or take the sample (step 2)."),
            language,
        )
    missing = [role for role, column, _ in view.roles if not column and role not in task.optional_inputs]
    if missing:
        roles = [render_table.role(role) for role in missing]
        return t(_("Say which column is {roles} (step 2).", roles=roles), language)
    return _marked_red(inspection.problems, view, language)


def _marked_red(problems: Any, view: View, language: str) -> str:
    """Says that Train waits for errors in the data to be mended, which becomes the view's error; empty if there are
    none."""
    wrong = next((problem for problem in problems if problem.severity == "error"), None)
    if wrong is None:
        return ""
    view.error = DataError(wrong.said, wrong.advice)
    return t(_("Mend what is marked red in step 3."), language)


def _plan(
    person: Person,
    asked: Asked,
    inspection: Any,
    base: BaseModel,
    view: View,
    language: str,
    inspector: Any,
    fits: bool,
) -> runs.Plan | None:
    chosen = {
        role: column
        for role, column in asked.columns.items()
        if role in roles_of(view.taken) and (not column or column in view.columns)
    }
    try:
        plan = use_cases.plan_inspected(
            person,
            inspection,
            base,
            mapping=chosen,
            effort=asked.effort,
            overrides=asked.settings(),
            test_file=use_cases.open_dataset(person, asked.test) if asked.test else None,
            name=asked.name.strip(),
            parent=view.begins_from,
            parts=view.parts,
            inspector=inspector,
        )
    except (
        AdapterError
    ) as error:  # another base than that of the adapter to go on from, or labels that it does not know
        view.reason, view.error = render.told(error, language)[0], error
        view.parent = render.error_card(error, language)
        return None
    except SpecError as error:
        view.reason, view.error = render.told(error, language)[0], error
        view.plan = _setting_error(error, language)
        return None
    except LoraHubError as error:
        view.reason, view.error = t(_("Mend what is marked red in step 3."), language), error
        view.problems = render.error_card(error, language)
        return None
    if not fits and not asked.hardware:
        view.reason = t(_("Choose a base that fits (step 4), or hardware that it fits on (below)."), language)
    # The base or a test file may add errors, too, such as rows that are too long.
    elif red := _marked_red(plan.problems, view, language):
        view.reason = red
    else:
        view.spec, view.ready = plan.spec, True
    estimate, have = plan.estimate, runs.machine_memory()
    view.tokens_row = estimate.tokens_row
    if asked.hardware:
        _hire(person, asked, plan, view, language)
        return plan
    view.estimate = estimate
    view.plan = render_plan.plan(estimate, language)
    if not fits or estimate.memory_bytes > have:
        # The cost of another machine only matters if this one is too small.
        view.plan += render_plan.costs(plan.costs, hardware.prices_checked(), estimate.memory_bytes, have, language)
    view.plan += render_works.folded(marks_of_spec(plan.spec), language)
    view.settings = _settings(plan.spec, language)
    return plan


def _hire(person: Person, asked: Asked, plan: runs.Plan, view: View, language: str) -> None:
    """The plan on hired hardware: what it costs, or why there is none for this person."""
    view.settings = _settings(plan.spec, language)
    try:
        view.hired = use_cases.hire(person, [(plan.spec, plan.estimate.tokens_row)], asked.hardware)
    except LoraHubError as error:
        view.plan, view.error = render.error_card(error, language), error
        view.reason, view.ready, view.spec = render.told(error, language)[0], False, None
        return
    view.plan = render_plan.hired(view.hired, plan.estimate.steps, language)
    view.plan += render_works.folded(marks_of_spec(plan.spec), language)


def _explain_without_data(
    asked: Asked, task: Task, inspection: Any, base: BaseModel, view: View, language: str
) -> None:
    """The derived settings before everything is ready, for the rows so far or for a thousand."""
    info = (
        inspection.info
        if inspection is not None
        else DatasetInfo(fingerprint="", name="", rows=1000, columns=(), format="")
    )
    try:
        task = inspection.task if inspection is not None else task
        view.settings = _settings(
            recipe.make_spec(task, base, info, {}, effort=asked.effort, overrides=asked.settings()), language
        )
    except SpecError as error:
        view.plan = _setting_error(error, language)


def _setting_error(error: SpecError, language: str) -> str:
    """What is wrong with a setting. accessible.js also shows it at the setting's own field."""
    setting, shown = setting_of(error.said), render.error_card(error, language)
    return f'<div data-setting="{setting_field(setting)}">{shown}</div>' if setting else shown


def _settings(spec: TrainSpec, language: str) -> str:
    titles = {known.key: known.title.in_language(language) for known in spec_fields.FIELDS}
    return render_plan.settings_table(recipe.explain(spec), titles, language)
