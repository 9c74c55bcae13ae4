"""Keep what it knows: the base is asked once, its answers are trained on beside the rows, and nothing else changes."""

from pathlib import Path

import pytest
from test_together import learn, make_rows, make_task, weights
from tiny_bases import BASE, build, byte_tokenizer

from lora_hub.core.schema import TrainSpec
from lora_hub.evaluation import general
from lora_hub.runs import replay
from lora_hub.runs.replay_prompts import make_prompts
from lora_hub.training.passes import count_rows, rows_of_pass

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def test_the_base_is_asked_once_and_its_own_words_are_trained_on(home: Path) -> None:
    model, tokenizer = build("llama"), byte_tokenizer()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    rows = replay.own_answers(model, tokenizer, BASE, 4)
    assert rows and all(sum(row["completion_mask"]) > 0 for row in rows)
    asked = make_prompts(BASE.languages, 4)
    read = tokenizer.decode(
        [token for token, trained in zip(rows[0]["input_ids"], rows[0]["completion_mask"], strict=True) if not trained]
    )
    assert read == f"User: {asked[0]}\nAssistant:"
    # asked again, the kept answers come without the base
    assert replay.own_answers(None, tokenizer, BASE, 4) == rows
    (kept,) = (home / "cache" / replay.FOLDER).iterdir()
    kept.write_text("[[")
    assert replay.own_answers(model, tokenizer, BASE, 4) == rows
    assert replay.own_answers(model, tokenizer, BASE, 4, max_length=20) == []
    assert all((model.state_dict()[name] == one).all() for name, one in before.items())
    assert not any(module._forward_hooks for module in model.modules())


def test_rows_of_replay_are_part_of_each_pass_alone_and_together(tmp_path: Path) -> None:
    extra = make_rows(8, 77).rows
    plain, _told = make_task(tmp_path / "plain", steps=0, epochs=1)
    mixed, _told = make_task(tmp_path / "mixed", steps=0, epochs=1)
    mixed.train = replay.with_replay(mixed.train, extra)
    assert (count_rows(mixed.spec, mixed.train), len(rows_of_pass(mixed.spec, mixed.train).rows)) == (32, 32)
    results = [learn([task]).results[0] for task in (plain, mixed)]
    assert [one.steps for one in results] == [6, 8]
    first, second = map(weights, results)
    assert any((first[key] - second[key]).abs().max() > 1e-4 for key in first)


def test_prompts_are_none_of_the_questions_that_are_scored() -> None:
    scored = {one.text.casefold() for one in general.general_set()}
    for languages, persian in {("en",): 0, ("en", "fa"): 40}.items():
        prompts = make_prompts(languages, 100)
        assert len(set(prompts)) == 100 and not {one.casefold() for one in prompts} & scored
        assert sum("\u0600" <= one[0] <= "\u06ff" for one in prompts) == persian


def test_general_questions_are_asked_where_it_takes_seconds() -> None:
    small, large = (BASE.model_copy(update={"parameters": count}) for count in (1_300_000, 135_000_000))
    asked = [
        (base.parameters, general, TrainSpec.model_construct(base=base, general=general).asks_general)
        for base in (small, large)
        for general in ("auto", "on", "off")
    ]
    assert [one[2] for one in asked] == [True, True, False, False, True, False]
