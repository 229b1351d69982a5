"""Rows out of datagrams: each step once, whatever is lost, repeated, counted anew or nonsense."""

import pytest

from steelyard_agent.training.datagram import Datagram, Unreadable, parse
from steelyard_agent.training.ledger import Ledger, Row

T0 = 1_700_000_000_000


def said(number: int, **fields: object) -> Datagram:
    return Datagram("step", number, {name: str(value) for name, value in fields.items()})


def told(number: int, steps: int, *, marked: int = 0, tokens: int | None = None, **more: object) -> Datagram:
    """A process whose steps take a second and have 100 tokens, marked ones two seconds."""
    fields = {"steps": steps, "seconds": steps, "tokens": 100 * steps if tokens is None else tokens}
    fields |= {
        "token_steps": steps,
        "marked_steps": marked,
        "marked_seconds": 2 * marked,
        "marked_tokens": 100 * marked,
    }
    return said(number, **fields, step_seconds=1, step_tokens=100, **more)


def rows(*datagrams: Datagram, apart_ms: int = 1000) -> list[Row]:
    ledger = Ledger()
    for index, each in enumerate(datagrams):
        ledger.note_number(each.number)
        ledger.take(each, T0 + index * apart_ms)
    return ledger.rows


def test_a_step_a_row() -> None:
    first, second = rows(told(2, 7), told(3, 8))
    assert (first.steps, first.seconds, first.counts[0], first.step) == (7, 7.0, 700, 7)
    assert (second.steps, second.seconds, second.counts[0], second.total_tokens) == (1, 1.0, 100, 800)


def test_a_lost_datagram_costs_no_token() -> None:
    _, later = rows(told(1, 1), told(5, 5))
    assert (later.steps, later.counts[0]) == (4, 400)


def test_an_agent_that_comes_late_takes_the_one_step_alone() -> None:
    (row,) = rows(told(4000, 3998))
    assert (row.steps, row.seconds, row.counts[0], row.step) == (1, 1.0, 100, 3998)


def test_a_marked_step_is_kept_apart() -> None:
    _, marked, after = rows(told(2, 7), told(3, 7, marked=1, mark="checkpoint"), told(4, 8, marked=1))
    assert (marked.mark, marked.steps, marked.seconds, marked.step) == ("checkpoint", 1, 2.0, 8)
    assert (after.mark, after.steps, after.step) == ("", 1, 9)


def test_counting_anew_is_no_negative_step() -> None:
    _, row = rows(told(2, 7), told(3, 1))
    assert (row.steps, row.counts[0]) == (1, 100)


def test_short_steps_share_a_row() -> None:
    (row,) = rows(told(1, 1), told(2, 2), told(3, 3), apart_ms=50)
    assert (row.steps, row.seconds, row.counts[0], row.step) == (3, 3.0, 300, 3)


def test_a_row_s_loss_is_the_mean_of_what_was_told() -> None:
    (row,) = rows(told(1, 1, loss=4.0), told(2, 2, loss="nan"), told(3, 4, loss=1.0), apart_ms=50)
    assert (row.steps, row.loss) == (4, 2.5)
    assert [row.loss for row in rows(told(1, 1, loss=-0.5), told(2, 2, loss="x"))] == [-0.5, None]


def test_tokens_of_some_of_the_steps_are_no_tokens() -> None:
    partly = said(2, steps=7, seconds=7, tokens=300, token_steps=3, step_seconds=1, step_tokens=100)
    before, after = rows(partly, said(3, steps=8, seconds=8, tokens=400, token_steps=4))
    assert before.counts[0] is None
    assert before.tokens_absent
    assert (after.counts[0], after.tokens_absent) == (100, "")


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("tokens", "-5"),
        ("seconds", "nan"),
        ("seconds", "-1"),
        ("steps", "1.5"),
        ("steps", "9" * 30),
        ("tokens", "9" * 5000),
        ("seconds", "inf"),
    ],
)
def test_nonsense_is_refused_by_name_and_the_rest_goes_on(name: str, nonsense: str) -> None:
    ledger = Ledger()
    ledger.take(told(1, 1), T0)
    bad = told(2, 2)
    with pytest.raises(Unreadable, match=name):
        ledger.take(Datagram("step", 2, {**bad.fields, name: nonsense}), T0 + 1000)
    ledger.take(told(3, 3), T0 + 2000)
    assert [row.steps for row in ledger.rows] == [1, 2]


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"steelyard 2 step\nnumber=1", b"steelyard 1 step\nnumber=x", b"\xff"]
)
def test_a_datagram_of_something_else(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(payload)


def test_a_datagram() -> None:
    read = parse(b"steelyard 1 facts\nnumber=3\nmodel=a=b\n")
    assert (read.kind, read.number, read.text("model"), read.count("steps")) == ("facts", 3, "a=b", None)
