"""Rented hardware that Hugging Face offers for Jobs and Spaces: its speed, memory and price (hardware.yaml).

    list_hardware()             every flavor, the cheapest first
    card_flops("Tesla T4")      65e12: the speed of a card, by the name that its driver gives it
    prices_checked()            "2026-11-22, Hub documentation, ...": the date of the prices, for people

Never goes online. Prices change, so show `prices_checked()` beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).with_name("hardware.yaml")
GB = 10**9  # as the price table and the vendors count
MODEST_FLOPS = 60e12


@dataclass(frozen=True)
class Hardware:
    """One flavor. `gpus` 0: a CPU only, and `card` is empty. memory_bytes, flops: of one GPU (dense 16-bit FLOP/s); for
    a CPU-only flavor its RAM, and 0. dollars: US dollars an hour for the whole machine. in_spaces: available for a
    Space as well as for a job."""

    flavor: str
    title: str
    card: str
    gpus: int
    memory_bytes: int
    flops: float
    vcpu: int
    ram_bytes: int
    dollars: float
    in_spaces: bool


def list_hardware(prices: Mapping[str, float] | None = None) -> list[Hardware]:
    """Every flavor, by price an hour, cheapest first. prices: today's, US dollars an hour, in place of the list's."""
    catalogue, prices = _catalogue(), prices or {}
    flavors = [
        _hardware({**entry, "dollars": prices.get(entry["flavor"], entry["dollars"])}, catalogue["cards"])
        for entry in catalogue["flavors"]
    ]
    return sorted(flavors, key=lambda hardware: hardware.dollars)


def card_flops(name: str) -> float:
    """Dense 16-bit FLOP/s of a GPU, by its driver's name for it; an unknown card counts as a modest one."""
    cards = _catalogue()["cards"]
    found = [card for card in cards if card in name]  # "NVIDIA L40S" contains L4 and L40S: take the longest
    return float(cards[max(found, key=len)]["flops"]) if found else MODEST_FLOPS


def prices_checked() -> str:
    """When the prices were looked up, and on which page."""
    return str(_catalogue()["checked"])


def _hardware(entry: dict[str, Any], cards: dict[str, dict[str, Any]]) -> Hardware:
    card, gpus, ram = entry.get("card", ""), entry.get("gpus", 1 if "card" in entry else 0), entry["ram_gb"] * GB
    if card:
        title = f"{gpus}x Nvidia {card}" if gpus > 1 else f"Nvidia {card}"
        size = entry["flavor"].rpartition("-")[2]
        title += f" ({size})" if size in ("small", "medium", "large") else ""
    else:
        title = f"CPU, {entry['vcpu']} cores"
    return Hardware(
        flavor=entry["flavor"],
        title=title,
        card=card,
        gpus=gpus,
        vcpu=entry["vcpu"],
        ram_bytes=ram,
        dollars=float(entry["dollars"]),
        memory_bytes=int(cards[card]["memory_gb"] * GB) if card else ram,
        flops=float(cards[card]["flops"]) if card else 0.0,
        in_spaces=entry.get("spaces", True),
    )


def _catalogue() -> dict[str, Any]:
    import yaml

    # PyYAML's C parser if available: a tenth of the time, and every plan reads this file.
    return yaml.load(CATALOGUE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
