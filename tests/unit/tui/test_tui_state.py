from steelyard_tui.client import WatchQuery
from steelyard_tui.state import Page, hold_order


def _page(keys: list[str], offset: int = 0) -> Page:
    query = WatchQuery("devices", offset=offset)
    return Page(query, 0, 0.0, 1000, 1000, {"uid": keys, "n": list(range(len(keys)))}, tuple(range(len(keys))))


def _keys(page: Page) -> list[object]:
    return [page.row(page.offset + at)["uid"] for at in range(len(page.order))]  # type: ignore[index]


def test_rows_keep_their_places_and_new_ones_fill_the_holes() -> None:
    before, after = _page(["a", "b", "c", "d"]), _page(["d", "x", "a", "b"])
    assert _keys(hold_order(before, after, "uid")) == ["a", "b", "x", "d"]


def test_another_page_is_taken_as_it_is() -> None:
    before, after = _page(["a", "b"]), _page(["b", "a"], offset=2)
    assert _keys(hold_order(before, after, "uid")) == ["b", "a"]


def test_holding_keeps_every_row_once_whatever_comes() -> None:
    before = _page(["a", "b", "c"])
    for keys in (["c", "b", "a", "e", "f"], ["z"], [], ["b", "c"]):
        assert sorted(map(str, _keys(hold_order(before, _page(keys), "uid")))) == sorted(keys)


def test_rows_are_found_by_key_and_number() -> None:
    page = _page(["a", "b"], offset=10)
    assert page.find("uid", "b") == 11
    assert page.find("uid", "q") is None
    assert page.row(11) == {"uid": "b", "n": 1}
    assert page.row(9) is None
    assert page.row(12) is None
