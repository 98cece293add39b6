"""Make the sample that a stamped project begins with: 3,000 orders, a few of them spoiled.

Run it from the template's folder with any Python from 3.11 on; it needs nothing else:

    python tools/make_sample_orders.py

It writes `data/sample_orders.ndjson` of the template's project, the same bytes each time.
The file has 3,015 lines: 3,000 sound orders, 3 later corrections of orders among them, and
12 records that the contract refuses, one for each entry of `SPOILERS`.
"""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

SEED = 20240501
ORDERS = 3000
CORRECTED = (412, 1630, 2745)  # the places of orders that come again at the end
SAMPLE = (
    Path(__file__).resolve().parents[1]
    / "{{cookiecutter.project_slug}}"
    / "data"
    / "sample_orders.ndjson"
)

# country, currency, offset from UTC in hours, first names, last names, mail domain
MARKETS = [
    (
        "US",
        "USD",
        -6,
        "Olivia Noah Emma Liam Ava James",
        "Smith Johnson Brown Garcia",
        "example.com",
    ),
    ("DE", "EUR", 1, "Jürgen Anna Björn Käthe Lukas", "Müller Groß Schäfer Weiß", "example.de"),
    ("FR", "EUR", 1, "Chloé Hélène Rémi François Zoé", "Lefèvre Dubois Noël Çetin", "example.fr"),
    ("GB", "GBP", 0, "Amelia Oscar Isla Niamh", "O'Connor Taylor Singh Walker", "example.co.uk"),
    ("JP", "JPY", 9, "結衣 陽翔 さくら 蓮", "佐藤 鈴木 高橋 田中", "example.jp"),
    (
        "PL",
        "PLN",
        1,
        "Zofia Łukasz Agnieszka Paweł",
        "Wójcik Kowalczyk Żak Dąbrowski",
        "example.pl",
    ),
    (
        "BR",
        "BRL",
        -3,
        "João Letícia Antônio Inês",
        "Gonçalves Araújo Simões Conceição",
        "example.com.br",
    ),
    ("IN", "INR", 5.5, "Aarav Priya Rohan अनिता", "Sharma Patel Iyer सिंह", "example.in"),
    ("SE", "SEK", 1, "Åsa Björn Maja Östen", "Öberg Lindström Håkansson", "example.se"),
    ("EG", "EGP", 2, "Youssef Layla فاطمة أحمد", "Hassan Mansour السيد", "example.eg"),
]
RATE = {
    "USD": 1, "EUR": 0.9, "GBP": 0.8, "JPY": 150, "PLN": 4, "BRL": 5, "INR": 83, "SEK": 10.5, "EGP": 47,
}  # fmt: skip
STATUSES = ["delivered"] * 5 + ["shipped"] * 2 + ["paid"] * 2 + ["pending", "cancelled"]
GOODS = ["MUG", "LAMP", "DESK", "CHAIR", "RUG", "VASE", "CLOCK", "SHELF", "THROW", "TRAY"]
NOTES = [
    "Please ring twice",
    "Geschenkverpackung, bitte 🎁",
    "Leave it with the neighbour at no. 7",
    'Engrave "für Oma"',
    "午前中に配達してください",
    "Livrer après 18 h",
]
START = datetime(2024, 1, 1, tzinfo=UTC)


class Dice:
    """Random choices made of `random()` alone, whose bytes no Python version changes."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def one_of(self, options: list[Any]) -> Any:
        return options[self.number(0, len(options) - 1)]

    def chance(self, share: float) -> bool:
        return self._random() < share


def make_order(place: int, dice: Dice) -> dict[str, Any]:
    """One sound order, the `place`-th of the year."""
    country, currency, offset, first, last, domain = dice.one_of(MARKETS)
    zone = timezone(timedelta(hours=offset))
    ordered = START + timedelta(
        minutes=place * 170 + dice.number(0, 160), seconds=dice.number(0, 59)
    )
    updated = ordered + timedelta(minutes=dice.number(1, 9000))
    customer = dice.number(1, 900)
    local = f"customer.{customer}"
    if dice.chance(0.1):
        local = local.title()  # as people type it; the transform makes it lower case
    order = {
        "order_id": 100_000 + place,
        "status": dice.one_of(STATUSES),
        "customer": {
            "customer_id": customer,
            "name": f"{dice.one_of(first.split())} {dice.one_of(last.split())}",
            "email": f"{local}@{domain}",
            "country": country,
        },
        "items": [make_item(dice, currency) for _ in range(dice.one_of([1, 1, 1, 2, 2, 3, 4]))],
        "currency": currency,
        "shipping": price(dice.one_of([0, 0, 490, 990]), currency),
        "ordered_at": ordered.astimezone(zone).isoformat(),
        "updated_at": updated.astimezone(zone).isoformat(),
    }
    if dice.chance(0.06):
        order["note"] = dice.one_of(NOTES)
    return order


def make_item(dice: Dice, currency: str) -> dict[str, Any]:
    return {
        "sku": f"{dice.one_of(GOODS)}-{dice.number(100, 999)}",
        "quantity": dice.one_of([1, 1, 1, 1, 2, 2, 3, 6]),
        "unit_price": price(dice.number(250, 24_900), currency),
    }


def price(cents: int, currency: str) -> str:
    """A price as text, as shops send it: a JSON number would be a float in most readers."""
    amount = cents * RATE[currency] / 100
    return f"{round(amount)}.00" if currency == "JPY" else f"{amount:.2f}"


def correct(order: dict[str, Any]) -> dict[str, Any]:
    """The same order as it is sent again later: delivered after all, one more of an item."""
    later = json.loads(json.dumps(order))
    later["status"] = "delivered"
    later["items"][0]["quantity"] += 1
    later["updated_at"] = "2025-01-02T08:30:00+00:00"
    later["note"] = "Corrected by customer service"
    return later


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], str]:
    """A spoiler that puts `value` at a dotted path, or removes what is there for `...`."""

    def spoil(order: dict[str, Any]) -> str:
        *parents, last = path.split(".")
        inner: Any = order
        for name in parents:
            inner = inner[int(name)] if name.isdigit() else inner[name]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
        return as_line(order)

    return spoil


def _truncate(order: dict[str, Any]) -> str:
    return as_line(order)[:97]


# The line after which each comes, and what is wrong with it.
SPOILERS: dict[int, Callable[[dict[str, Any]], str]] = {
    71: _set("customer", ...),
    260: _set("items.0.quantity", -2),
    431: _truncate,
    688: _set("status", "lost in the post"),
    905: _set("ordered_at", "2024-02-30T10:00:00+01:00"),
    1203: _set("order_id", "n/a"),
    1444: _set("items", []),
    1702: _set("customer.email", "no mail address"),
    1990: _set("shipping", "free"),
    2255: _set("currency", "euro"),
    2501: _set("updated_at", "2024-11-03T09:15:00"),  # no offset: which 09:15?
    2888: lambda order: as_line([order]),
}


def as_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def make_lines() -> list[str]:
    """All lines of the sample, in order."""
    dice = Dice(SEED)
    orders = [make_order(place, dice) for place in range(1, ORDERS + 1)]
    lines = []
    for place, order in enumerate(orders, start=1):
        lines.append(as_line(order))
        if place in SPOILERS:
            spoiled = make_order(ORDERS + place, dice)
            lines.append(SPOILERS[place](spoiled))
    return lines + [as_line(correct(orders[place - 1])) for place in CORRECTED]


def main() -> None:
    lines = make_lines()
    SAMPLE.parent.mkdir(parents=True, exist_ok=True)
    SAMPLE.write_bytes("".join(f"{line}\n" for line in lines).encode())
    print(f"{SAMPLE}: {len(lines)} lines, {SAMPLE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
