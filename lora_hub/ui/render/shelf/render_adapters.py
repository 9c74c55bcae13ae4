"""The nouns of the Adapters tab -> HTML: an adapter's facts. The list of adapters is `render_shelf`'s."""

from collections.abc import Sequence

from lora_hub.core.messages import Message, _, joined
from lora_hub.core.schema import AdapterRef
from lora_hub.ui.render.render import badge, card, escape, filled, link, sentence, table
from lora_hub.ui.render.text import iso_moment, t


def _versions(versions: Sequence[str]) -> str:
    return "".join(badge(version, "good" if version == "production" else "plain") for version in versions)


def adapter_head(ref: AdapterRef, language: str, may_start: bool = False) -> str:
    """may_start: whoever looks may train, and so take its settings over into Fine-tune."""
    again = ""
    if may_start and ref.task:
        again = (
            f'<button type="button" class="lh-small" data-put="lh-start-from" data-value="{escape(ref.repo_id)}">'
            f"{escape(t(_('Fine-tune with these settings'), language))}</button>"
        )
    name = f"<bdi>{escape(ref.repo_id)}</bdi>"
    to_hub = link(ref.url, t(_("Open on the Hub"), language)) if ref.url else ""
    commit = f"<code>{escape(ref.revision[:12])}</code>" if ref.revision else ""
    off = badge(t(_("unpublished"), language), "warn") if ref.unpublished else ""
    return (
        f'<div class="lh-runhead"><h3>{name} {_versions(ref.versions)}{off}</h3><p class="lh-quiet">{commit} '
        f"{to_hub}</p>{again}</div>"
    )


def made_from(ref: AdapterRef, names: Sequence[str], language: str) -> str:
    """Links to the repos that were made from an adapter; nothing where there are none."""
    if not names:
        return ""
    hub = ref.url.removesuffix(ref.repo_id)
    links = t(_(", "), language).join(f"<bdi>{link(hub + name, name)}</bdi>" for name in names)
    return f'<p class="lh-quiet">{filled(_("Made from it: {adapters}."), language, adapters=links)}</p>'


def unpublishing(repo_id: str, leaning: Sequence[Message], language: str) -> str:
    """What unpublishing an adapter would do. leaning: what depends on it."""
    said = _("{repo} leaves the shelf and becomes private. Nothing is deleted, and it can be put back.", repo=repo_id)
    more = joined(*leaning, _("Press again to unpublish it."))
    return card("warn", sentence(t(said, language)), sentence(t(more, language)))


def versions_table(versions: Sequence[tuple[str, str, str, str]], language: str) -> str:
    """versions: (tag, commit, date, message)."""
    rows = [
        [
            badge(tag, "good" if tag == "production" else "plain"),
            f"<code>{escape(commit[:12])}</code>",
            f"<bdi>{escape(iso_moment(date[:16], language))}</bdi>",
            f"<bdi>{escape(message)}</bdi>",
        ]
        for tag, commit, date, message in versions
    ]
    heads = [t(_("Versions"), language), t(_("Commit"), language), t(_("Updated"), language), ""]
    return table(heads, rows, "lh-versions", stacked=True) if rows else ""
