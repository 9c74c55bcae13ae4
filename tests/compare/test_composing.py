"""Composing: the sum is exact whatever the adapters are like, the search finds weights that were planted, and a sum is
offered only where it is better; on tiny random models and on adapters of the built-in base with random weights."""

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import planted
import pytest
import tiny_bases
import torch
from huggingface_hub import HfApi
from peft.tuners.lora import LoraLayer
from persian import refused
from safetensors.torch import load_file, save_file
from test_kept import WILL

from lora_hub import cli, use_cases
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.cli.compose import show_composed
from lora_hub.cli.screen import Screen
from lora_hub.compare import Comparer, composing
from lora_hub.compare.composing.losses import make_loss
from lora_hub.compare.composing.searching import NEAR_ZERO, find_weights
from lora_hub.compare.composing.splitting import halves_of, split_few
from lora_hub.compare.composing.summing import lay_out, save_sum, share_apart
from lora_hub.compare.panes import Pane
from lora_hub.compare.test_sets import answer_panes
from lora_hub.core.errors import AdapterError, DataError, HubError
from lora_hub.core.schema import Task, Text2
from lora_hub.data.prompts.prepare import Example
from lora_hub.hub import fetch_region, read_adapter_record
from lora_hub.people import LOCAL
from lora_hub.ui.render.shelf import render_composed
from lora_hub.ui.tabs.shelf.compose import Composing

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
ORG = planted.ORG
# As strangers make them: other ranks and layers, rsLoRA, ranks and alphas by pattern.
ODD = (
    {"r": 4, "lora_alpha": 8},
    {"r": 3, "lora_alpha": 7, "use_rslora": True, "target_modules": ["q_proj", "v_proj", "down_proj"]},
    {
        "r": 2,
        "lora_alpha": 5,
        "target_modules": r".*\.(k_proj|up_proj)",
        "rank_pattern": {r"layers\.1\.self_attn\.k_proj": 6},
        "alpha_pattern": {"up_proj": 11},
    },
)
WEIGHTS = (0.7, -0.4, 1.1)


def with_sum(model: torch.nn.Module, folders: list[Path], weights: tuple[float, ...]) -> torch.nn.Module:
    """A copy of the model with the weighted sum of what PEFT says each adapter changes."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for folder, weight in zip(folders, weights, strict=True):
            for name, layer in tiny_bases.load_with_peft(model, folder).get_base_model().named_modules():
                if isinstance(layer, LoraLayer):
                    made.get_submodule(name).weight += weight * layer.get_delta_weight("default")
    return made


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_sum_is_exact_and_peft_loads_it(kind: str, tmp_path: Path) -> None:
    model = tiny_bases.build(kind)
    odd = ODD if kind == "llama" else (ODD[0], {"r": 3, "target_modules": ["c_attn"], "use_rslora": True})
    folders = [tiny_bases.save_adapter(model, tmp_path / str(n), seed=n, **one) for n, one in enumerate(odd)]
    weights = WEIGHTS[: len(folders)]
    rank = save_sum(dict(zip(folders, weights, strict=True)), tmp_path / "sum")
    assert rank == (4 + 3 if kind == "gpt2" else 4 + 6)
    for sign, apart in ((1, pytest.approx(0, abs=1e-6)), (-1, pytest.approx(2))):  # in another order
        other = {folder: sign * weight for folder, weight in reversed([*zip(folders, weights, strict=True)])}
        save_sum(other, tmp_path / "other")
        assert share_apart(tmp_path / "sum", tmp_path / "other") == apart
    weights_file = tmp_path / "other" / "adapter_model.safetensors"
    for wrong in (math.nan, math.inf):  # was as if nothing were there
        tensors = load_file(weights_file)
        save_file({**tensors, min(tensors): torch.full_like(tensors[min(tensors)], wrong)}, weights_file)
        assert share_apart(tmp_path / "sum", tmp_path / "other") == 1
    ids = torch.randint(3, 259, (3, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = with_sum(model, folders, weights)(ids).logits
        assert (wanted - model(ids).logits).abs().max() > 0.1
        assert torch.allclose(tiny_bases.load_with_peft(model, tmp_path / "sum")(ids).logits, wanted, atol=1e-4)
        stack = AdapterStack(model, tiny_bases.BASE)
        slot = stack.attach(tmp_path / "sum", "sum")
        for folder in folders:
            stack.attach(folder, folder.name)
        laid = lay_out([stack.adapter(folder.name).layers for folder in folders])
        put = stack.put("tried", laid.weighted(weights))
        with stack.route([slot, put, 0]):
            logits = model(ids).logits
    assert torch.allclose(logits[:2], wanted[:2], atol=1e-4) and torch.allclose(logits[2], model(ids).logits[2])


def test_the_search_finds_planted_weights_and_repeats(tmp_path: Path) -> None:
    """The answers are those of a sum of two of three adapters."""
    model, tokenizer = tiny_bases.build("llama"), tiny_bases.byte_tokenizer()
    folders = [tiny_bases.save_adapter(model, tmp_path / str(n), seed=n + 1, strength=0.1) for n in range(3)]
    stack = AdapterStack(model, tiny_bases.BASE)
    for folder in folders:
        stack.attach(folder, folder.name)
    laid = lay_out([stack.adapter(folder.name).layers for folder in folders])
    task = Task(id="tiny", title=Text2(en="Tiny"), instruction=Text2(en="x"), template="{text}")
    wanted = (1.2, 0.0, -0.9)
    stack.put("planted", laid.weighted(wanted))
    examples = []
    for n, text in enumerate(planted.texts(10)):
        ids = torch.tensor([tokenizer(f"{text}\nAnswer: ")["input_ids"]])
        answer = ""
        with torch.no_grad(), stack.route([stack.slot("planted")]):
            for _ in range(10):
                logits = model(ids).logits[0, -1, 3:97]  # bytes that are seen
                ids = torch.cat([ids, logits.argmax().view(1, 1) + 3], 1)
        answer = tokenizer.decode(ids[0, -10:]).strip() or "x"
        examples.append(Example(n, {"text": text}, answer))
    loss = make_loss(stack, tokenizer, task, examples)

    def of(weights: tuple[float, ...]) -> float:
        stack.put("tried", laid.weighted(weights))
        return loss("tried")

    found = find_weights(of, 3, most=120, seed=1)
    assert found.evaluations <= 120 + 5 and found.loss < min(*found.singles, found.base)
    assert found.loss <= of(wanted) + 0.05
    assert found.weights[0] > 0.3 and found.weights[2] < -0.3 and abs(found.weights[1]) < 0.5
    assert all(one == 0 or abs(one) >= NEAR_ZERO for one in found.weights)
    assert find_weights(of, 3, most=20, seed=1) == find_weights(of, 3, most=20, seed=1)
    assert find_weights(of, 3, cancelled=lambda: True) is None


def test_where_the_base_is_best_every_weight_is_0() -> None:
    found = find_weights(lambda weights: sum(map(abs, weights)), 2, most=40)
    assert found.weights == (0.0, 0.0) and found.loss == 0


def few(count: int, labels: tuple[str, ...] = ("ham", "spam")) -> list[Example]:
    return [Example(n, {"text": text}, labels[n % len(labels)]) for n, text in enumerate(planted.texts(count))]


def test_halves_are_seeded_and_share_no_row() -> None:
    task = planted.task_of()
    for count in (4, 51):
        with refused(DataError, match=f"{count} examples are there; weights are found from 5 to 50"):
            split_few(few(count), task)
    halves = split_few(few(50), task, seed=3)
    assert halves == split_few(few(50), task, seed=3) != split_few(few(50), task, seed=4)
    for half in (halves.fitted, halves.judged):
        assert len(half) == 25 and 12 <= sum(one.answer == "spam" for one in half) <= 13
    twice = split_few([*few(10), *few(10)], task)
    assert not {one.inputs["text"] for one in twice.fitted} & {one.inputs["text"] for one in twice.judged}
    other = halves_of(few(8), few(20))
    assert len(other.fitted) == 8 and len(other.judged) == 12
    with refused(DataError, match="no row that is not among the examples"):
        halves_of(few(8), few(8))


def write_rows(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


def test_a_sum_is_offered_only_where_it_is_better(hub, tmp_path: Path, home: Path, monkeypatch, capsys) -> None:
    planted.empty_organization(monkeypatch)
    monkeypatch.setattr("lora_hub.compare.composing.saving.MOST_EVALUATIONS", 60)
    task, comparer, base = planted.task_of(), Comparer(), bases.get_base(bases.BUILT_IN)
    runs = [planted.make_version(seed, rows=8) for seed in (1, 4)]
    for n, run_id in enumerate(runs):
        planted.publish(run_id, f"part-{n}")
    folders = [home / "runs" / run_id / "adapter" for run_id in runs]
    save_sum(dict(zip(folders, (0.9, 0.9), strict=True)), tmp_path / "planted")
    pane = Pane("planted", base, task=task, folder=tmp_path / "planted")
    asked = [Example(n, {"text": text}, "ham") for n, text in enumerate(planted.texts(400))]
    right = [
        (one.inputs["text"], answer.text)
        for one, answer in zip(asked, answer_panes(comparer.bases, [pane], task, asked)[0], strict=True)
    ]
    each = [[row for row in right if row[1] == label] for label in task.labels]
    most = min(60, *map(len, each))
    rows = [row for pair in zip(*(of[:most] for of in each), strict=True) for row in pair]
    few_file, test_file = write_rows(tmp_path / "few.csv", rows[:30]), write_rows(tmp_path / "more.csv", rows[30:])
    command = ["compose", str(few_file), "--task", "spam", "--test", str(test_file), "--name", "the-sum", "--json"]

    made = []
    compose_adapter = composing.compose_adapter
    with monkeypatch.context() as patched:
        patched.setattr(composing, "compose_adapter", lambda *a, **b: made.append(compose_adapter(*a, **b)) or made[0])
        assert cli.main([*command, "--publish"]) == 0
    said = json.loads(capsys.readouterr().out)
    folder = Path(said["folder"])
    assert said["offered"] and said["against_single"]["verdict"] == said["against_base"]["verdict"] == "better"
    assert said["scores"]["adapter"]["accuracy"]["value"] > said["singles"][said["best_single"]]["accuracy"]["value"]
    recipe = read_adapter_record(folder)["composition"]
    assert recipe == said["composition"] and {part["adapter"] for part in recipe["parts"]} == {
        f"{ORG}/part-0",
        f"{ORG}/part-1",
    }
    assert all(len(part["revision"]) == 40 and part["weight"] > 0.3 for part in recipe["parts"])
    assert (recipe["fitted"], said["adapter"], said["version"]) == (30, f"{ORG}/the-sum", "v1")
    card = Path(HfApi().hf_hub_download(f"{ORG}/the-sum", "README.md")).read_text()
    assert "## What it is made of" in card and recipe["parts"][0]["revision"] in card
    assert "| Weights found on | 30 rows |" in card and "Hyperparameters" not in card
    assert "lora_hub compose few.csv --task spam --base built-in --adapter" in card
    assert f"lora_hub compose few.csv --check {ORG}/the-sum --test more.csv" in card
    assert use_cases.list_made_from(LOCAL, "part-0") == (f"{ORG}/the-sum",)  # told before a part of it is deleted
    # the router finds it by its examples, as it finds others by their rows
    assert recipe["region_rows"] == 30 and "find it by where 30 of its examples' questions lie" in card
    region = fetch_region(f"{ORG}/the-sum", "v1")
    assert region.rows == 30 and len(region.centers) >= 1
    for language, published in (
        ("en", "Published as v1 of local/the-sum:"),
        ("fa", "«v1» از «local/the-sum» منتشر شد:"),
    ):
        text = Screen(language).tell_all(show_composed(said))
        assert published in text and recipe["parts"][0]["revision"][:8] in text
    # every figure comes out again from the file and the parts, at their commits and with their weights
    check = ["compose", str(few_file), "--check", "the-sum", "--test", str(test_file), "--json"]
    assert cli.main(check) == 0
    told = json.loads(capsys.readouterr().out)
    commit = HfApi().model_info(f"{ORG}/the-sum").sha
    assert told == {"repo": f"{ORG}/the-sum", "checked": commit, "different": []}
    record = json.loads(Path(HfApi().hf_hub_download(f"{ORG}/the-sum", "lora_hub.json")).read_text())

    def recorded(**changed) -> None:
        made = json.dumps({**record, "composition": {**record["composition"], **changed.pop("recipe", {})}, **changed})
        HfApi().upload_file(path_or_fileobj=made.encode(), path_in_repo="lora_hub.json", repo_id=f"{ORG}/the-sum")

    def with_part(**changed) -> dict:
        return {"parts": [{**record["composition"]["parts"][0], **changed}, record["composition"]["parts"][1]]}

    flattered = {**record["composition"]["single"], "adapter": 99.5}
    better = {**record["metrics"]["base"]["accuracy"], "value": float("nan")}
    scores = {**record["metrics"], "base": {**record["metrics"]["base"], "accuracy": better}}
    recorded(recipe={"single": flattered, **with_part(rank=9)}, metrics=scores)
    assert cli.main(check) == 4
    figures = [one["figure"] for one in json.loads(capsys.readouterr().out)["different"]]
    first = recipe["parts"][0]["adapter"]
    assert figures == ["scores.base.accuracy.value", "against_single.adapter", f"rank.{first}"]
    # what a stranger's record says is never a place of this machine, and a file that is another one is told
    for changed, why in (
        ({"recipe": with_part(adapter=str(folders[0]), revision="")}, "was on the machine where that was made"),
        ({"recipe": with_part(adapter="../../etc")}, "no repo at a commit"),
        ({"recipe": with_part(revision="main")}, "damaged: parts.0.revision"),
        ({"recipe": with_part(revision="0" * 40)}, f"{first}@{'0' * 40}, which"),
        ({"recipe": with_part(weight=1e9)}, "a weight of its sum is 0 or larger than 1.5"),
        ({"recipe": {"parts": record["composition"]["parts"] * 8, "tried": 16}}, "of 16 adapters, and one is of 2 to"),
        ({"recipe": {"tried": 3}}, "names 2 of the 3 adapters"),
        ({"comparison": None}, "is damaged"),
        ({"composition": None}, "is no composition"),
        ({"dataset": {**record["dataset"], "fingerprint": "1" * 16}}, "It is not the data that"),
    ):
        recorded(**changed)
        assert cli.main(check) == 1
        assert why in json.loads(capsys.readouterr().out)["error"]["message"]
    recorded()
    assert cli.main([one for one in check if one not in ("--test", str(test_file))]) == 1
    assert "was scored on a test file, 'more.csv'" in json.loads(capsys.readouterr().out)["error"]["message"]
    for wrong, why in (
        ([*check, "--publish", "--seed", "0"], "--check takes no --publish, --seed"),
        (check[:2], "needs a task"),
    ):
        assert cli.main([*wrong]) == 2 and why in "".join(capsys.readouterr())
    # saved, though the Hub went away meanwhile
    with monkeypatch.context() as patched:
        patched.setattr(composing, "compose_adapter", lambda *a, **b: made[0])
        patched.setattr(
            "lora_hub.hub.publish_adapter", lambda *a, **b: (_ for _ in ()).throw(HubError("Gone.", "Wait."))
        )
        assert cli.main([*command, "--publish"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], told["adapter"], told["error"]["message"]) == (said["folder"], None, "Gone.")
    # it is asked as any other adapter is
    assert cli.main(["compare", "--adapter", f"{ORG}/the-sum", "--test", str(test_file), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)["metrics"][f"{ORG}/the-sum"]["accuracy"]["value"]
    assert again == said["scores"]["adapter"]["accuracy"]["value"]

    # answers that no sum knows: nothing is better, nothing is written
    kept = sorted((home / "composed").iterdir())
    # who signed in composes from their own files, and keeps nothing here that is not published
    will = replace(WILL, token="", roles={ORG: "write"})
    mine = [use_cases.add_dataset(will, path) for path in (few_file, test_file)]
    with refused(DataError, match="no file of yours"):
        use_cases.compose(replace(will, id="eve"), comparer, mine[0], planted.task_of())
    parts = [f"{ORG}/part-{n}" for n in (1, 0)]  # in whatever order: the search is the same
    found = use_cases.compose(will, comparer, mine[0], planted.task_of(), adapters=parts, test=mine[1])
    assert found.made.recipe.model_dump(mode="json") == recipe
    assert found.made.composed.is_offered and found.made.folder is None and found.published is None
    shown = render_composed.composed(found, "en")
    assert "A composed adapter is offered." in shown and "nothing of it is kept" in shown and "part-1" in shown
    assert sorted((home / "composed").iterdir()) == kept
    wrong = [(text, task.labels[n % 2]) for n, (text, _label) in enumerate(right)]
    write_rows(few_file, wrong[:16])
    assert cli.main(["compose", str(few_file), "--task", "spam", "--publish", "--name", "no-sum", "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert (
        not told["offered"]
        and told["folder"] is None
        and "is not offered" in told["error"]["message"]
        or ("every weight became 0" in told["error"]["message"])
    )
    assert sorted((home / "composed").iterdir()) == kept and not HfApi().repo_exists(f"{ORG}/no-sum")
    # on the page the same, with the numbers; and where the person stops it
    page, asked = Composing(SimpleNamespace(comparer=comparer)), ["en", "spam", "built-in"]
    typed = "\n".join(f"{text} => {label}" for text, label in wrong[:16])
    first, *_going, last = page.compose(*asked, typed, None, "[]", "", True, person=LOCAL)
    assert "0 of 1 steps" in first[0] and "No sum is offered." in last[0] and last[3] == ""
    assert "is not offered" in last[0] or "every weight became 0" in last[0]
    assert "The base with examples in its prompt" in last[0] and f"{ORG}/part-1" in last[0] and " to " in last[0]
    going = page.compose(*asked, typed, None, "[]", "", True, person=LOCAL)
    page.stop("en", next(going)[3])
    assert "stopped before its end; nothing was saved" in [*going][-1][0]
    for text, said in ((" ", "There are no examples"), ("a => b\nc =>", "is no example")):
        with refused(DataError, match=said):
            next(page.compose(*asked, text, None, "[]", "", True, person=LOCAL))
    assert sorted((home / "composed").iterdir()) == kept
    # one that cannot be summed is named, and one alone is no sum
    other = tmp_path / "dora"
    other.mkdir()
    config = json.loads((folders[0] / "adapter_config.json").read_text()) | {"use_dora": True}
    (other / "adapter_config.json").write_text(json.dumps(config))
    (other / "adapter_model.safetensors").write_bytes((folders[0] / "adapter_model.safetensors").read_bytes())
    named = ["compose", str(few_file), "--task", "spam", "--adapter", runs[0], "--adapter"]
    assert cli.main([*named, str(other)]) == 1 and "uses DoRA" in capsys.readouterr().err
    assert (
        cli.main([*named, runs[0]]) == 1 and "2 to 12 different adapters, and 1 were named" in capsys.readouterr().err
    )


def test_adapters_of_two_bases_have_no_sum(tmp_path: Path) -> None:
    from lora_hub.compare.composing import name_publicly
    from lora_hub.core.schema import BaseModel

    panes = [Pane(name, BaseModel(id=f"some/{name}")) for name in ("a", "b")]
    with refused(AdapterError, match="a was made for some/a, b for some/b"):
        name_publicly(panes)
