"""What publishing would do -> HTML: the new version and its differences, shown before the button is pressed."""

from lora_hub.core.languages import in_digits
from lora_hub.core.messages import _, _n, joined
from lora_hub.core.spec_fields import FIELDS
from lora_hub.runs import Difference, Publication
from lora_hub.ui.render.render import card, escape, filled, isolate, sentence, table
from lora_hub.ui.render.render_data import metric_title
from lora_hub.ui.render.text import t


def planned(publication: Publication, language: str) -> str:
    """A card with the repo and version this becomes, and a table of the differences."""
    repo, version, before = (isolate(one) for one in (publication.repo_id, publication.version, publication.before))
    if publication.is_same:
        return card(
            "plain", filled(_("This run is {version} of {repo} already."), language, repo=repo, version=version)
        )
    if not publication.before:
        return card(
            "plain",
            filled(_("This becomes the first version, {version}, of {repo}."), language, repo=repo, version=version),
        )
    becomes = (
        _(
            "This is proposed as version {version} of {repo}: somebody who may write there has to merge the pull "
            "request."
        )
        if publication.by_pull_request
        else _("This becomes a new version, {version}, of {repo}.")
    )
    title = filled(becomes, language, repo=repo, version=version)
    if not publication.has_record:
        return card(
            "warn",
            title,
            filled(_("{before} was not made here, so it cannot be said what differs."), language, before=before),
        )
    if not publication.differences:
        return card(
            "warn", title, filled(_("Its data, settings and scores are those of {before}."), language, before=before)
        )
    # There may be many labels, so their differences get a card of their own.
    rows = [
        [escape(_name(one, language)), _value(one, one.before, language), _value(one, one.now, language)]
        for one in publication.differences
        if one.kind != "labels"
    ]
    below = _another(publication, language)
    if rows:
        heads = [t(_("Difference"), language), publication.before, publication.version]
        below += table(heads, rows, "lh-differences", stacked=True)
    if publication.other_rows:
        said = _(
            "The scores are of different test rows, so they do not say which version is better. "
            "Compare both on one test file."
        )
        below += f'<p class="lh-quiet">{escape(t(said, language))}</p>'
    kind = "bad" if publication.is_another else "warn"
    return card(kind, title, filled(_("What differs from {before}:"), language, before=before)) + below


def _another(publication: Publication, language: str) -> str:
    """A warning that users of the repo would get different answers: another task's, or other labels."""
    shown = ""
    if any(one.kind == "task" for one in publication.differences):
        said = _(
            "This adapter does another task than the version before. Whoever uses that repo by its name would get "
            "this one: give it another name, unless that is what you want."
        )
        shown += card("bad", escape(t(said, language)))
    more, fewer = publication.more_labels, publication.fewer_labels
    if more or fewer:
        said = _(
            "This adapter answers with other labels than the version before. Whoever uses that repo by its name would "
            "get them: give it another name, unless that is what you want."
        )
        lines = joined(
            _n("{count:,} label more: {labels}.", "{count:,} labels more: {labels}.", count=len(more), labels=more)
            if more
            else "",
            _n("{count:,} label fewer: {labels}.", "{count:,} labels fewer: {labels}.", count=len(fewer), labels=fewer)
            if fewer
            else "",
        )
        shown += card("bad", escape(t(said, language)), sentence(t(lines, language)))
    return shown


def _name(one: Difference, language: str) -> str:
    if one.kind == "score":
        return metric_title(one.name, language)
    if one.kind == "setting":
        return next((field.title.in_language(language) for field in FIELDS if field.key == one.name), one.name)
    names = {
        "task": _("Task"),
        "labels": _("Labels"),
        "base": _("Base"),
        "data": _("Dataset"),
        "test": _("Held-out file (optional)"),
    }
    return t(names[one.name], language)


def _value(one: Difference, value: str, language: str) -> str:
    if not value:
        return "–"
    if one.kind == "score":
        return f"<b>{escape(in_digits(value, language))}</b>"
    return isolate(value)
