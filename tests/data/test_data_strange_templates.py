"""Strangers' chat templates are rendered within limits on time and memory, from whichever source the base comes."""

import shutil
from pathlib import Path

import pytest
from persian import refused

from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel
from lora_hub.data.prompts import lengths, template, template_process
from lora_hub.data.prompts.prepare import Example

SPAM = get_task("spam")
ROWS = [Example(row, {"text": f"row {row}"}, "spam") for row in range(1, 4)]
HOSTILE = {
    "memory": "{{ 'x' * 1500000000 }}",
    "an endless loop": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "nested ranges": "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}",
}


def strange_base(folder: Path, chat_template: str) -> BaseModel:
    shutil.copytree(bases.built_in_folder(), folder)
    (folder / "chat_template.jinja").write_text(chat_template)
    return bases.get_base(str(folder))


@pytest.mark.parametrize("what", HOSTILE)
def test_a_strange_bases_template_ends_in_a_sentence(what: str, tmp_path: Path) -> None:
    base = strange_base(tmp_path / "strange", HOSTILE[what])
    with refused(DataError, match="chat template of the base .*strange"):
        lengths.measure(ROWS, SPAM, base, 512)
    if what == "memory":
        with refused(DataError, match="chat template of the base .*strange"):
            template.encode_prompt(loading.load_tokenizer(base), SPAM, {"text": "a row"})


def test_a_strange_bases_honest_template_is_rendered_as_ours() -> None:
    ours = bases.get_base(bases.BUILT_IN)
    light = lengths.tokenizer_of(ours)
    bound = template_process.bound_template(lengths.tokenizer_of(ours), _("a test"))
    full = template_process.bound_template(loading.load_tokenizer(ours), _("a test"))
    asked = [{"text": "one"}, {"text": "دو"}]
    wanted = template.encode_prompts(light, SPAM, asked)
    assert wanted == template.encode_prompts(bound, SPAM, asked) == template.encode_prompts(full, SPAM, asked)


def test_whose_templates_are_rendered_here(tmp_path: Path) -> None:
    """Ours and the catalogue's as they are: a process would be felt."""
    ours, listed = bases.get_base(bases.BUILT_IN), bases.list_bases()[1]
    assert bases.is_ours(ours) and bases.is_ours(listed)
    assert "apply_chat_template" not in vars(lengths.tokenizer_of(ours))
    assert "apply_chat_template" not in vars(loading.load_tokenizer(ours))
    strange = strange_base(tmp_path / "strange", "x")
    pull_request = bases.get_base(f"{listed.id}@refs/pr/1")
    named_as_ours = strange.model_copy(update={"id": bases.BUILT_IN})
    for base in (strange, pull_request, named_as_ours, bases.get_base("someone/else")):
        assert not bases.is_ours(base), base


def test_a_template_that_is_slow_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process, "ALL_SECONDS", 0.9)
    monkeypatch.setattr(template_process, "MORE_SECONDS", 0.5)
    process = template_process.TemplateProcess(_("a test"))
    monkeypatch.setattr(process, "_ask", lambda line: {"text": "in time", "seconds": 0.7})
    assert [process.render("x", {}) for turn in range(5)] == ["in time"] * 5
    with refused(DataError, match="chat template of a test takes too long, question after question"):
        process.render("x", {})
