"""The rented hardware: the names that the Hub's client knows, with consistent figures."""

import datetime

from huggingface_hub import JobHardware, SpaceHardware

from lora_hub.catalogue import hardware

ALL = hardware.list_hardware()


def test_flavors_are_those_of_the_client() -> None:
    assert {one.flavor for one in ALL} == {flavor.value for flavor in JobHardware}
    # ZeroGPU lends its GPU for minutes at a time and cannot be rented.
    assert {one.flavor for one in ALL if one.in_spaces} == {flavor.value for flavor in SpaceHardware} - {"zero-a10g"}


def test_cheapest_first_with_unique_names_and_sane_figures() -> None:
    assert [one.dollars for one in ALL] == sorted(one.dollars for one in ALL)
    assert len({one.title for one in ALL}) == len(ALL)
    for one in ALL:
        assert 0 < one.dollars < 100 and one.vcpu >= 2 and one.ram_bytes >= 15e9
        if one.gpus:
            assert one.card in one.title and 16e9 <= one.memory_bytes <= 300e9 and 5e13 < one.flops < 2e15
        else:
            assert one.memory_bytes == one.ram_bytes and not one.flops and not one.card


def test_more_of_the_same_card_never_costs_less() -> None:
    by_card: dict[str, list[hardware.Hardware]] = {}
    for one in ALL:
        by_card.setdefault(one.card, []).append(one)
    for card, flavors in by_card.items():
        if card:
            assert sorted(flavors, key=lambda one: one.gpus) == sorted(flavors, key=lambda one: one.dollars), card


def test_prices_say_from_when_they_are() -> None:
    day, _, page = hardware.prices_checked().partition(", ")
    assert datetime.date.fromisoformat(day) <= datetime.date.today() and "Pricing" in page


def test_a_card_is_known_by_its_drivers_name() -> None:
    told = {
        "Tesla T4": 65e12,
        "NVIDIA L4": 121e12,
        "NVIDIA L40S": 362e12,
        "NVIDIA A10G": 70e12,
        "NVIDIA A10": 125e12,
        "NVIDIA A100-SXM4-80GB": 312e12,
        "NVIDIA H100 80GB HBM3": 989e12,
        "NVIDIA GeForce RTX 4090": 165e12,
    }
    assert {name: hardware.card_flops(name) for name in told} == told
    assert hardware.card_flops("NVIDIA GeForce GTX 1660") == hardware.MODEST_FLOPS
