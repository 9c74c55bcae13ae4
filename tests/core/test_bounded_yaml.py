"""YAML is checked against limits before it is constructed."""

import pytest
import yaml

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import bounded_yaml
from lora_hub.core.errors import SpecError
from lora_hub.runs import pipeline

TASK = "id: t\ntitle: x\ninstruction: hi\ninputs: [text]\noutput: labels\nlabels: *h\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
WRONG = {
    "aliases that multiply": BOMB + TASK,
    "nested": "id: " + "[" * 200 + "]" * 200,
    "in itself": "a: &a [*a]\n",
    "a key in itself": "&a {? *a : 1}\n",
    "anew": "a: &a [&a [*a]]\nb: [*a]\nc: &c [*c]\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_too_much_is_refused_everywhere(name, tmp_path):
    with pytest.raises(bounded_yaml.Unbounded):
        bounded_yaml.load(WRONG[name])
    file = tmp_path / "any.yaml"
    file.write_text(WRONG[name])
    with pytest.raises(SpecError, match="nested too deeply or grows too large by its aliases, at line"):
        catalogue.get_task(str(file))
    with pytest.raises(SpecError, match="more than"):
        pipeline.read_pipeline(file)


def test_what_people_write_is_read_as_it_was():
    for text in (
        "a: &a [1, 2]\nb: *a\nc: [*a, *a]\n",
        "base: &base {map: {text: v2}}\ntasks:\n  - {<<: *base, task: spam}\n",
        "a: &n 3\nb: *n\n",
        "",
        "# nothing\n",
        "- " * 20 + "x\n",
    ):
        assert bounded_yaml.load(text) == yaml.safe_load(text)
    with pytest.raises(yaml.YAMLError) as wrong:
        bounded_yaml.load("a: 1\nb: [\n")
    assert wrong.value.problem_mark.line == 2
    with pytest.raises(yaml.YAMLError):
        bounded_yaml.load("!!python/object/apply:os.system ['true']")
