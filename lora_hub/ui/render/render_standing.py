"""What a person may do here, and how much of each limit is left -> HTML."""

from typing import Any

from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.people.rules import ROLE_NAMES, Action
from lora_hub.ui.render.render import card, escape, sentence, table
from lora_hub.ui.render.text import number, t

ACTIONS = {
    Action.BROWSE: _("browse"),
    Action.COMPARE: _("compare"),
    Action.TRAIN: _("train"),
    Action.PUBLISH: _("publish"),
    Action.ADMINISTER: _("administer"),
}
CHOICES = {
    "nothing": _("nothing"),
    "compare": _("browse and compare"),
    "person": _("each person"),
    "service": _("the Space"),
    "catalogue": _("those of the list"),
    "any": _("any of the Hub"),
}


def standing(told: Any, language: str) -> str:
    """told: a `use_cases.Standing`."""
    able = [ACTIONS[action] for action in told.may if action in ACTIONS]
    role = ROLE_NAMES[told.person.role].in_language(language)
    who = t(
        _("Your role in {organization}: {role}. You may: {able}."),
        language,
        role=role,
        organization=told.organization,
        able=able or [_("nothing")],
    )
    if told.allowed is None:
        return card("plain", sentence(who))
    allowed = told.allowed
    asking = [
        (_("Answers to one question"), allowed.panes),
        (_("Tokens of an answer"), allowed.answer_tokens),
        (_("Characters of a question"), allowed.prompt_characters),
        (_("Requests a minute"), allowed.requests_a_minute),
    ]
    if Action.TRAIN not in told.may:
        rows = [[_cell(title, language), _number(limit, language)] for title, limit in asking]
        heads = [t(said, language) for said in (_("Of what"), _("At most"))]
        return card("plain", sentence(who)) + (table(heads, rows) if Action.COMPARE in told.may else "")
    publishing = (
        _("Your adapters are published with your own account.")
        if allowed.publish_as == "person"
        else _("Your adapters are published with this Space's own account.")
    )
    used = [
        (_("Runs and tests that wait or work"), told.going, allowed.waiting_runs),
        (_("Minutes of training in the last 24 hours"), told.minutes, allowed.minutes_a_day),
        (_("MB of files and runs"), told.disk_mb, allowed.disk_mb),
    ]
    most = [
        (_("Longest run (hours)"), allowed.hours),
        (_("Steps of a run"), allowed.steps),
        (_("Rows of a dataset"), allowed.rows),
        (_("Largest file (MB)"), allowed.upload_mb),
        (_("Unused files are kept (days)"), allowed.upload_days),
        *asking,
    ]
    rows = [[_cell(title, language), _number(now, language), _number(limit, language)] for title, now, limit in used]
    rows += [[_cell(title, language), "", _number(limit, language)] for title, limit in most]
    heads = [t(said, language) for said in (_("Of what"), _("Used"), _("At most"))]
    about = joined(*filter(None, (publishing, told.place, told.kept)))
    return card("good", sentence(who), sentence(t(about, language))) + table(heads, rows)


def left(told: Any, language: str) -> str:
    """A person's remaining runs and minutes, in a line beside a plan; empty if they have no limits."""
    if told.allowed is None or Action.TRAIN not in told.may:
        return ""
    said = t(
        _n(
            "{count} run or test of yours waits or works, and no more may. Wait until it has ended, or cancel it.",
            "{count} runs and tests of yours wait or work, and no more may. Wait until one has ended, or cancel one.",
        )
        if told.going >= told.allowed.waiting_runs
        else _(
            "Your {most:,} minutes of training a day are used up. You can start again as the last 24 hours pass, or an "
            "admin may allow more."
        )
        if told.minutes >= told.allowed.minutes_a_day
        else _(
            "Runs and tests of yours that wait or work: {count} of {most_runs} at a time. {used:,} of your {most:,} "
            "minutes a day are used."
        ),
        language,
        most_runs=told.allowed.waiting_runs,
        count=told.going,
        most=told.allowed.minutes_a_day,
        used=round(told.minutes),
    )
    return f'<p class="lh-quiet">{sentence(said)}</p>'


def _cell(title: Message, language: str) -> str:
    return escape(t(title, language))


def _number(value: float, language: str) -> str:
    return escape(number(value, language, 0 if float(value).is_integer() or value >= 10 else 1))
