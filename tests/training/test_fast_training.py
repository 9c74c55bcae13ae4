"""A training on a CPU computes with less work what PEFT and transformers compute."""

import contextlib
import copy

import pytest
import tiny_bases
import torch
from peft import LoraConfig, get_peft_model
from tiny_bases import build

from lora_hub.training import fast_layers, shared_reading
from lora_hub.training.shared_reading import common_beginning, groups_by_length, groups_of_adapters, read_together
from lora_hub.training.trainable import Start, TrainableStack

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def everything_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bases of a test are too small for any of it to pay."""
    monkeypatch.setattr(shared_reading, "CALL", 0)
    monkeypatch.setattr(shared_reading, "LEAST_SAVED", 0)
    monkeypatch.setattr(fast_layers, "onednn_is_faster", lambda: True)


def make_batch(own: list[int], begin: int = 9) -> dict[str, torch.Tensor]:
    """Rows that begin alike, with so many tokens of their own each, padded on the right."""
    random = torch.Generator().manual_seed(1)
    first = torch.randint(3, tiny_bases.VOCABULARY, (begin,), generator=random)
    ids = torch.zeros(len(own), begin + max(own), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, count in enumerate(own):
        ids[row, :begin] = first
        ids[row, begin : begin + count] = torch.randint(3, tiny_bases.VOCABULARY, (count,), generator=random)
        mask[row, : begin + count] = 1
    ids[0, begin], ids[1, begin] = 3, 4  # the beginning ends there
    return {"input_ids": ids, "attention_mask": mask}


def loss_of(states: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    weights = torch.linspace(-1, 1, states.shape[-1])
    return ((states * weights).sum(-1).tanh() * batch["attention_mask"]).sum()


def adapted(kind: str) -> torch.nn.Module:
    model = get_peft_model(
        build(kind), LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules="all-linear")
    )
    random = torch.Generator().manual_seed(2)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            value.data = torch.randn(value.shape, generator=random) * 0.1
    return model.train()


def gradients(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    states = model.get_base_model().base_model(**batch, use_cache=False).last_hidden_state
    loss_of(states, batch).backward()
    return states.detach() * batch["attention_mask"][..., None], {
        name: value.grad.clone() for name, value in model.named_parameters() if value.requires_grad
    }


@pytest.mark.parametrize("kind", ["llama", "gemma", "gemma3", "gpt-neox"])
def test_states_and_gradients_are_those_of_peft(kind: str) -> None:
    model = adapted(kind)
    batch = make_batch([3, 11, 4, 10, 5])
    states, expected = gradients(model, batch)
    tokens = []
    watch = (
        model.get_base_model()
        .get_input_embeddings()
        .register_forward_hook(lambda module, args, out: tokens.append(args[0].numel()))
    )
    rows = [batch["input_ids"][row, : batch["attention_mask"][row].sum()].tolist() for row in (0, 1)]
    with fast_layers.fast_layers(model), read_together(model.get_base_model(), rows):
        tokens.clear()
        ours, found = gradients(model, batch)
    watch.remove()
    assert torch.allclose(ours, states, atol=1e-5)
    assert found.keys() == expected.keys() and len(found) >= 8
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-4, rtol=1e-4), name
    # a beginning once and no padding, where the cache is plain keys and values (not of a window)
    assert sum(tokens) == (9 + 3 + 11 + 4 + 10 + 5 if kind != "gemma3" else batch["input_ids"].numel())
    assert not any("forward" in vars(module) for module in model.modules())


def test_each_adapter_of_a_stack_has_its_own_beginning() -> None:
    model = build("llama")
    random = torch.Generator().manual_seed(3)
    starts = [
        Start(
            {
                name: (
                    torch.randn(2, module.in_features, generator=random) * 0.1,
                    torch.randn(module.out_features, 2, generator=random) * 0.1,
                )
                for name, module in model.named_modules()
                if isinstance(module, torch.nn.Linear) and name != "lm_head"
            },
            scale=2.0,
        )
        for _ in range(2)
    ]
    batch = make_batch([3, 7, 4, 6])
    batch["input_ids"][2:, :2] += 1  # the second task begins otherwise

    def learn(*contexts: contextlib.AbstractContextManager) -> tuple[torch.Tensor, list[torch.Tensor]]:
        with contextlib.ExitStack() as held:
            for one in contexts:
                held.enter_context(one)
            stack.zero_grad()
            with stack.rows([0, 0, 1, 1]):
                states = model.base_model(**batch, use_cache=False).last_hidden_state
                loss_of(states, batch).backward()
        return states.detach() * batch["attention_mask"][..., None], [
            grad.clone() for layer in stack.layers.values() for grad in (layer.a_grad, layer.b_grad)
        ]

    with contextlib.closing(TrainableStack(model, copy.deepcopy(starts))) as stack:
        states, expected = learn()
        rows = [batch["input_ids"][row, :12].tolist() for row in (0, 1)]
        ours, found = learn(fast_layers.fast_layers(model), read_together(model, rows, stack))
    assert torch.allclose(ours, states, atol=1e-5)
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(found, expected, strict=True))


def test_dropout_and_padding_on_the_left_are_left_alone() -> None:
    batch = make_batch([3, 7, 4])
    rows = [batch["input_ids"][0, :12].tolist(), batch["input_ids"][1, :16].tolist()]
    model = build("gpt2")  # its layers drop
    with read_together(model, rows):
        assert "forward" not in vars(model.base_model)
    model = build("llama")
    left = {name: value.flip(1) for name, value in batch.items()}
    with torch.no_grad():
        expected = model.base_model(**left, use_cache=False).last_hidden_state
        with read_together(model, rows):
            assert "forward" in vars(model.base_model)
            assert torch.equal(model.base_model(**left, use_cache=False).last_hidden_state, expected)


def test_groups_save_more_padding_than_they_cost() -> None:
    assert groups_by_length([5, 50, 6, 52], call=10) == [[1, 3], [0, 2]]
    assert groups_by_length([5, 50, 6, 52], call=100) == [[0, 1, 2, 3]]
    assert groups_by_length([7], call=1) == [[0]]
    # two adapters with as many rows each: a group has as many of each, and their call costs each of them half
    assert groups_of_adapters([5, 50, 6, 52, 7, 4], [0, 3], [3, 3], call=20) == [[1, 3], [0, 2, 4, 5]]
    assert groups_of_adapters([5, 50, 6], [0, 2], [2, 1], call=0) == [[0, 1, 2]]
    ids = torch.tensor([[1, 2, 3, 0], [1, 2, 3, 4]])
    assert common_beginning(ids, torch.tensor([3, 4])) == 2 and common_beginning(ids, torch.tensor([1, 4])) == 0
