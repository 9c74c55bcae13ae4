"""The cache that grows in place holds what the model's own would, whatever rows come, leave and end."""

import pytest
import torch
from transformers.cache_utils import DynamicCache

from lora_hub.answering.kv_cache import GrowingLayer, copy_cache, growing, join_rows

LAYERS, HEADS, VALUES = 2, 2, 4


def random(rows: int, columns: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(rows, HEADS, columns, VALUES, generator=generator) for _ in range(2))


def filled(rows: int, columns: int, seed: int = 0) -> DynamicCache:
    cache = DynamicCache()
    for layer in range(LAYERS):
        cache.update(*random(rows, columns, seed + layer), layer)
    return cache


def same(cache, keys: list[torch.Tensor]) -> None:
    for layer, expected in zip(cache.layers, keys, strict=True):
        assert torch.equal(layer.keys, expected) and layer.get_seq_length() == expected.shape[2]


@pytest.fixture
def cache() -> DynamicCache:
    return filled(3, 5)


def test_tokens_are_written_in_place_and_all_that_was_there_stays(cache):
    grown, expected = growing(cache), [layer.keys for layer in cache.layers]
    assert all(type(layer) is GrowingLayer for layer in grown.layers)
    buffers = set()
    for step in range(200):
        for layer in range(LAYERS):
            keys, values = random(3, 1, 10 + step)
            shown, _ = grown.update(keys, values, layer)
            expected[layer] = torch.cat([expected[layer], keys], dim=2)
            assert torch.equal(shown, expected[layer])
            buffers.add(shown.untyped_storage().data_ptr())
    same(grown, expected)
    assert len(buffers) < 20 * LAYERS, "of 200 steps nearly all copy nothing"
    assert cache.layers[0].keys.shape[2] == 5, "the cache it began with is as it was"


def test_columns_that_are_dropped_and_rows_that_leave_or_are_copied(cache):
    grown = growing(cache)
    for layer in range(LAYERS):
        grown.update(*random(3, 1, 7), layer)
    expected = [layer.keys.clone() for layer in grown.layers]
    copied = copy_cache(grown, torch.tensor([2, 0, 0]))
    for layer in grown.layers:
        layer.drop(2)
    grown.batch_select_indices(torch.tensor([0, 2]))
    more = random(2, 1, 8)
    for layer in range(LAYERS):
        grown.update(*more, layer)
        copied.update(*random(3, 1, 9), layer)
    same(grown, [torch.cat([keys[[0, 2], :, 2:], more[0]], dim=2) for keys in expected])
    same(copied, [torch.cat([keys[[2, 0, 0]], random(3, 1, 9)[0]], dim=2) for keys in expected])


def test_rows_of_two_caches_stand_side_by_side_with_zeros_before_the_shorter(cache):
    first, second = growing(cache), filled(2, 7, 50)
    joined = join_rows([first, second], [4, 0, 2], 6)
    wide = [torch.nn.functional.pad(layer.keys, (0, 0, 1, 0)) for layer in first.layers]
    cut = [layer.keys[:, :, 1:] for layer in second.layers]
    same(joined, [torch.stack([b[1], a[0], a[2]]) for a, b in zip(wide, cut, strict=True)])
    assert all(torch.equal(layer.keys, kept.keys) for layer, kept in zip(first.layers, cache.layers, strict=True))
    three = join_rows([first, second, first], [7, 4, 0], 7)  # three rows, two, and three
    wide = [torch.nn.functional.pad(layer.keys, (0, 0, 2, 0)) for layer in first.layers]
    whole = [layer.keys for layer in second.layers]
    same(three, [torch.stack([a[2], b[1], a[0]]) for a, b in zip(wide, whole, strict=True)])
