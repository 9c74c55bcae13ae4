"""The last layer only where it is asked: the same logits and the same keys as of the whole layer, and less work."""

import pytest
import tiny_bases
import torch
import transformers

from lora_hub.answering.last_layer import only_asked

KINDS = {
    "llama": lambda: transformers.LlamaConfig(**tiny_bases._DECODER),
    "mistral": lambda: transformers.MistralConfig(**tiny_bases._DECODER, sliding_window=None),
    "mistral with a window": lambda: transformers.MistralConfig(**tiny_bases._DECODER, sliding_window=4),
    "qwen2": lambda: transformers.Qwen2Config(**tiny_bases._DECODER),
    "qwen3": lambda: transformers.Qwen3Config(**tiny_bases._DECODER),
    "gemma": lambda: transformers.GemmaConfig(**tiny_bases._DECODER),
}
MASK = torch.tensor([[0] * 5 + [1] * 7, [1] * 12, [0] * 2 + [1] * 10])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_asked_and_all_keys_are_those_of_the_whole_layer(kind, attention):
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(KINDS[kind]()).eval()
    model.set_attn_implementation(attention)
    ids, positions = torch.randint(3, 60, MASK.shape), (MASK.cumsum(-1) - 1).clamp(min=0)
    for mask, places, use_cache in (
        (MASK, 1, True),
        (MASK, 3, True),
        (MASK, 3, False),
        (torch.ones_like(MASK), 1, True),
    ):
        given = {"attention_mask": mask, "position_ids": positions, "use_cache": use_cache, "logits_to_keep": places}
        asked = []
        watch = model.model.layers[-1].self_attn.q_proj.register_forward_pre_hook(
            lambda module, args, asked=asked: asked.append(args[0].shape[1])
        )
        with torch.no_grad():
            with only_asked(model, places):
                found = model(input_ids=ids, **given)
            whole = model(input_ids=ids, **given)
            watch.remove()
            torch.testing.assert_close(found.logits, whole.logits, atol=1e-5, rtol=1e-4)
            if use_cache:
                for one, other in zip(found.past_key_values.layers, whole.past_key_values.layers, strict=True):
                    torch.testing.assert_close(one.keys, other.keys, atol=1e-5, rtol=1e-4)
                    torch.testing.assert_close(one.values, other.values, atol=1e-5, rtol=1e-4)
        known = kind != "gemma" and not (kind == "mistral with a window" and use_cache)
        assert asked == [places if known else 12, 12]


def test_other_threads_and_later_forwards_have_the_whole_layer():
    from concurrent.futures import ThreadPoolExecutor

    model = tiny_bases.build("llama")
    ids = torch.randint(3, 60, (2, 9))
    with only_asked(model, 1):
        assert model(input_ids=ids).logits.shape[1] == 1
        with ThreadPoolExecutor(1) as other:
            assert other.submit(lambda: model(input_ids=ids).logits.shape[1]).result() == 9
        with only_asked(model, 2):
            assert model(input_ids=ids).logits.shape[1] == 1, "the first one counts"
    assert model(input_ids=ids).logits.shape[1] == 9
