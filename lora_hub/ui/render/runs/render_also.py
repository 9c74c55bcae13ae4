"""What else a run's result says beside base and adapter: how it stands to the adapter that it goes on from, and what
was forgotten -> HTML."""

from lora_hub.core import verdicts
from lora_hub.core.messages import _
from lora_hub.core.schema import Run
from lora_hub.ui.render.render import escape, filled, sentence
from lora_hub.ui.render.text import t


def also_tested(run: Run, language: str) -> str:
    """Paragraphs below the scores; empty where there is nothing to say."""
    parts = []
    if run.spec.parent is not None and run.parent_comparison is not None:
        parts.append(
            filled(
                _("Against {name}, from which it goes on: {found}"),
                language,
                name=f"<bdi>{escape(run.spec.parent.name)}</bdi>",
                found=escape(verdicts.describe(run.parent_comparison).in_language(language)),
            )
        )
    if run.general is not None:
        parts.append(
            f"<b>{escape(t(_('What was forgotten'), language))}</b> "
            + sentence(verdicts.told_forgotten(run.general).in_language(language))
        )
    return "".join(f'<p class="lh-note">{one}</p>' for one in parts)
