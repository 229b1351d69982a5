"""The claims as shipped, and what a user's file may and may not say."""

from pathlib import Path

import pytest

from steelyard_proto.chips import load_chips
from steelyard_proto.claims import load_claims, parse_claims
from steelyard_proto.errors import ConfigError

CHIPS = load_chips()
ENTRY = {
    "id": '"mine"',
    "subject": '"910B"',
    "subject_chips": '["910B2"]',
    "reference": '"H20"',
    "reference_chips": '["H20"]',
    "unit": '"package"',
    "quantity": '"training"',
    "value": "1.1",
    "said_by": '"our buyer"',
    "said_on": '"2026-10"',
}


def written(changes: dict[str, str | None]) -> str:
    fields = {**ENTRY, **changes}
    return "[[claim]]\n" + "\n".join(f"{key} = {value}" for key, value in fields.items() if value is not None)


def test_the_shipped_claims() -> None:
    claims = {claim.id: claim for claim in load_claims(CHIPS)}
    assert {(c.subject, c.reference, c.value, c.quantity) for c in claims.values()} == {
        ("910B", "A100", 0.80, "training"),
        ("910C", "H100", 1.0, "training"),
        ("910C", "H100", 0.60, "inference"),
    }
    assert claims["910b-a100-iflytek-2025"].said_on == "2025-04"
    assert all(claim.near == 0.05 for claim in claims.values())


def test_a_user_s_file_adds_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(
        written({}) + "\n" + written({"id": '"910c-h100-huawei-2025"', "subject_chips": '["910C"]', "near": "0.5"})
    )
    claims = {claim.id: claim for claim in load_claims(CHIPS, path)}
    assert len(claims) == len(load_claims(CHIPS)) + 1
    assert claims["mine"].value == 1.1
    assert claims["910c-h100-huawei-2025"].near == 0.5


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"values": "0.8"}, "values is no field of a claim; do you mean value?"),
     ({"value": None}, "value is missing"),
     ({"value": "0"}, "value is 0; write a number above 0"),
     ({"value": "inf"}, "value is inf; write a number above 0"),
     ({"near": "nan"}, "near is nan; write a number above 0"),
     ({"value": '"80 %"'}, "value is '80 %'; write a number above 0"),
     ({"unit": '"card"'}, "unit is 'card'; write device or package"),
     ({"quantity": '"speed"'}, "quantity is 'speed'; write training, inference or peak"),
     ({"subject_chips": '["910B9"]'}, "names '910B9', which is no chip; do you mean 910B"),
     ({"reference_chips": '"H20"'}, "reference_chips is 'H20'; write a list of chips"),
     ({"said_on": '"last year"'}, "said_on is 'last year'; write YYYY"),
     ({"said_by": '""'}, "said_by is ''; write a text")],
)  # fmt: skip
def test_a_wrong_claim_is_refused_by_file_and_key(
    tmp_path: Path, changes: dict[str, str | None], complaint: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(written(changes))
    with pytest.raises(ConfigError) as caught:
        load_claims(CHIPS, path)
    assert str(caught.value).startswith(f"{path}: mine: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[[claims]]\nid = 'x'", r"mine: claims: is no table of this file; write \[\[claim\]\]"),
     ("claim = 3", r"mine: claim: must be a list"),
     ("[[claim]]\nvalue = 1", r"mine: claim 1: has no id"),
     ("[[claim]", r"mine: is not TOML")],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parse_claims(text, CHIPS, path="mine")


def test_one_id_stands_once() -> None:
    with pytest.raises(ConfigError, match="mine: mine: stands twice"):
        parse_claims(written({}) + "\n" + written({}), CHIPS, path="mine")
