"""Attention on the CPU gives what transformers' own does, and goes the shorter way."""

from contextlib import nullcontext

import pytest
import tiny_bases
import torch
import transformers
from transformers.integrations import sdpa_attention

from lora_hub.answering.attention import cpu_attention
from lora_hub.answering.kv_cache import copy_cache, growing

KINDS = {
    "llama": lambda: transformers.LlamaConfig(**tiny_bases._DECODER),
    "qwen3": lambda: transformers.Qwen3Config(**tiny_bases._DECODER),
}
MASK = torch.tensor([[0] * 5 + [1] * 7, [1] * 12, [0] * 2 + [1] * 10])


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_keys_that_heads_share_are_read_as_they_are(kind, monkeypatch):
    torch.manual_seed(0)
    model, repeated = transformers.AutoModelForCausalLM.from_config(KINDS[kind]()).eval(), []
    monkeypatch.setattr(
        sdpa_attention, "repeat_kv", lambda *given, real=sdpa_attention.repeat_kv: repeated.append(1) or real(*given)
    )
    ids = torch.randint(3, 60, MASK.shape)
    with torch.no_grad():
        with cpu_attention():
            with cpu_attention():
                pass  # which another part of an answer may be within
            found = model(input_ids=ids, attention_mask=MASK).logits
        assert not repeated
        whole = model(input_ids=ids, attention_mask=MASK).logits
    assert repeated, "afterwards as ever"
    torch.testing.assert_close(found[MASK.bool()], whole[MASK.bool()], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [*KINDS, "gemma", "gemma3"])
def test_one_token_a_row_is_two_products_over_all_rows(kind, monkeypatch):
    model, calls = tiny_bases.build(kind), []
    monkeypatch.setattr(
        torch.nn.functional,
        "scaled_dot_product_attention",
        lambda *given, real=torch.nn.functional.scaled_dot_product_attention, **more: (
            calls.append(1) or real(*given, **more)
        ),
    )
    ids = torch.randint(3, 60, MASK.shape, generator=torch.Generator().manual_seed(0))
    positions = (MASK.cumsum(-1) - 1).clamp(min=0)
    steps = torch.randint(3, 60, (2, len(MASK), 1), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        read = model(input_ids=ids, attention_mask=MASK, position_ids=positions, use_cache=True).past_key_values
        logits = []
        for cache, within in ((growing(copy_cache(read, torch.arange(3))), True), (read, False)):
            calls.clear()
            for step, tokens in enumerate(steps, 1):
                given = {"attention_mask": torch.nn.functional.pad(MASK, (0, step), value=1), "past_key_values": cache}
                given |= {"input_ids": tokens, "position_ids": positions[:, -1:] + step}
                with cpu_attention() if within else nullcontext():
                    logits.append(model(**given).logits)
            assert bool(calls) is not within
    torch.testing.assert_close(torch.stack(logits[:2]), torch.stack(logits[2:]), atol=1e-4, rtol=1e-4)
