"""Rows in bulk go through weights that their adapter is merged into: the answers of the separate products, in no more
memory than allowed, and nothing of it left behind."""

import pytest
import tiny_bases
import torch

from lora_hub.answering import gated, merged, products
from lora_hub.answering import stack as stack_room
from lora_hub.answering.merged import MergedWeights
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.schema import BaseModel

LENGTH = 16


@pytest.fixture
def llama():
    return tiny_bases.build("llama")


@pytest.fixture
def stack(llama, tmp_path):
    folders = {name: tiny_bases.save_adapter(llama, tmp_path / name, seed=seed) for seed, name in enumerate("abc")}
    stack = AdapterStack(llama, BaseModel(id="tiny", context=64))
    for name, folder in folders.items():
        stack.attach(folder, name)
    yield stack
    stack.close()


def logits(stack: AdapterStack, slots: list[int]) -> torch.Tensor:
    torch.manual_seed(0)
    ids = torch.randint(3, 60, (len(slots), LENGTH))
    with torch.no_grad(), stack.route(slots):
        return stack.model(input_ids=ids).logits


@pytest.mark.parametrize(
    "slots",
    [[1] * 24, [1] * 20 + [2] * 18, [1] * 20 + [2] * 3, [1, 2] * 16],
    ids=["one", "two", "only one is worth it", "in no order"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_merged_rows_are_what_separate_products_give(slots, packed, stack, monkeypatch):
    if packed and not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN")
    monkeypatch.setattr(products, "onednn_is_faster", lambda: packed)
    monkeypatch.setattr(products, "_ENOUGH", 0)
    monkeypatch.setattr(merged, "WORTH_TOKENS", 10**9)
    separate = logits(stack, slots)
    assert stack._merged.nbytes == 0
    monkeypatch.setattr(merged, "WORTH_TOKENS", 256)
    together = logits(stack, slots)
    assert (stack._merged.nbytes > 0) == (slots == sorted(slots)), "adapter by adapter they are merged, in disorder not"
    torch.testing.assert_close(together, separate, atol=2e-5, rtol=1e-4)
    assert (together - logits(stack, [0] * len(slots))).abs().max() > 1e-3, "the adapters do something"


@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch has no oneDNN")
@pytest.mark.parametrize("layers", ["all", "attention"])
def test_the_gated_part_of_many_tokens_is_multiplied_in_pieces(layers, llama, tmp_path, monkeypatch):
    """Up to rounding what its module gives, by the merged weights where the adapter has some there, else by the
    base's; and only where one adapter answers all rows."""
    pieces, whole = [], []
    monkeypatch.setattr(products, "onednn_is_faster", lambda: True)
    monkeypatch.setattr(gated, "onednn_is_faster", lambda: True)
    monkeypatch.setattr(gated, "_AT_ONCE", 48 * 100)  # 384 tokens in four pieces, the last one shorter
    monkeypatch.setattr(stack_room, "multiply", lambda *given: pieces.append(1) or gated.multiply(*given))
    target = ["q_proj", "v_proj"] if layers == "attention" else "all-linear"
    folder = tiny_bases.save_adapter(llama, tmp_path / "a", seed=1, target_modules=target)
    stack = AdapterStack(llama, BaseModel(id="tiny", context=64))
    for name in "ab":
        stack.attach(folder, name)
    together = logits(stack, [1] * 24)
    assert len(pieces) == len(llama.model.layers)
    monkeypatch.setattr(stack_room, "can_multiply", lambda x: whole.append(1) and False)
    torch.testing.assert_close(together, logits(stack, [1] * 24), atol=2e-5, rtol=1e-4)
    assert whole
    monkeypatch.setattr(stack_room, "can_multiply", gated.can_multiply)
    pieces.clear()
    logits(stack, [0] * 24), logits(stack, [1] * 20 + [2] * 20), logits(stack, [1, 2])
    assert not pieces
    stack.close()
    assert not any("forward" in vars(module) for module in llama.modules())


def test_rows_of_the_base_are_the_same_beside_an_adapter_of_many_tokens(stack):
    alone = logits(stack, [0] * 40)
    beside = logits(stack, [0] * 2 + [1] * 38)
    assert torch.equal(beside[:2], alone[:2])


def test_the_last_two_are_kept_and_those_that_left_are_forgotten(stack):
    for slot in (1, 2, 3):
        logits(stack, [slot] * 20)
    serials = {name: stack.adapter(name).serial for name in "abc"}
    assert set(stack._merged._kept) == {serials["b"], serials["c"]}
    assert stack.nbytes > stack._merged.nbytes > 0
    stack.detach("b")
    assert set(stack._merged._kept) == {serials["c"]}


def test_what_does_not_fit_is_not_merged(stack):
    adapter = stack.adapter("a")
    modules = {layer: stack._modules[layer] for layer in adapter.layers}
    size = sum(module.weight.nbytes for module in modules.values())
    assert MergedWeights(modules, size - 1).of(adapter, 1000) is None
    assert MergedWeights(modules, size).of(adapter, merged.WORTH_TOKENS - 1) is None
    assert MergedWeights(modules, size).of(adapter, merged.WORTH_TOKENS).keys() == adapter.layers.keys()
    modules.pop(next(iter(modules)))
    assert MergedWeights(modules, size).of(adapter, 1000) is None, "a layer that can't be merged"


def test_a_second_stack_on_the_base_answers_right_too(llama, stack, tmp_path):
    expected = logits(stack, [1] * 20)
    second = AdapterStack(llama, BaseModel(id="tiny", context=64))
    second.attach(tmp_path / "a", "x")
    torch.testing.assert_close(logits(second, [1] * 20), expected, atol=2e-5, rtol=1e-4)
    second.close()
    assert torch.equal(logits(stack, [1] * 20), expected)
    stack.close()
    assert not any("forward" in vars(module) for module in llama.modules()), "the base is as it was"


def test_both_libraries_give_the_same_product(monkeypatch):
    monkeypatch.setattr(products, "onednn_is_faster", lambda: True)
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this PyTorch has no oneDNN")
    x, weight, bias = torch.randn(3, 90, 64), torch.randn(96, 64), torch.randn(96)
    expected = torch.nn.functional.linear(x, weight, bias)
    for given in (weight, products.pack(weight)):
        torch.testing.assert_close(products.linear(x, given, bias), expected, atol=1e-4, rtol=1e-4)
    learning = x.clone().requires_grad_()
    products.linear(learning, weight).sum().backward()
    assert learning.grad is not None, "what learns goes through PyTorch's own product"
