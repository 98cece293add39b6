"""What a request carries: times where they are asked for, keys that are never shown."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from ingest.errors import SourceError
from ingest.sources import Request, fill, without_secrets

SINCE = datetime(2026, 11, 24, 18, 0, tzinfo=timezone(timedelta(hours=2)))
UNTIL = datetime(2026, 11, 25, tzinfo=UTC)
URL = "https://example.com/orders?state=a%20b&from={since}&to={until}"


def test_times_are_filled_in_as_utc() -> None:
    assert fill(URL, SINCE, UNTIL) == (
        "https://example.com/orders?state=a%20b&from=2026-11-24T16:00:00Z&to=2026-11-25T00:00:00Z"
    )


def test_a_time_without_a_zone_is_utc() -> None:
    naive = datetime(2026, 11, 24, 18, 0, 0, 250_000)
    filled = fill("https://example.com/?from={since}", naive, None)
    assert filled == "https://example.com/?from=2026-11-24T18:00:00.250000Z"


def test_a_parameter_without_its_time_is_dropped() -> None:
    assert fill(URL, None, None) == "https://example.com/orders?state=a%20b"
    assert fill("https://example.com/?{since}", None, None) == "https://example.com/"
    params = {"from": "{since}", "window": "{since}/{until}", "size": 7}
    assert Request(params=params).filled(SINCE, None).params == {
        "from": "2026-11-24T16:00:00Z",
        "size": 7,
    }


def test_a_part_of_the_path_cannot_be_dropped() -> None:
    dated = "https://example.com/{since}/orders"
    assert fill(dated, SINCE, None) == "https://example.com/2026-11-24T16:00:00Z/orders"
    with pytest.raises(SourceError, match="placeholder in its path"):
        fill(dated, None, None)


@pytest.mark.parametrize("location", ["/srv/{since}.csv", "https://example.com/a?b={other}"])
def test_what_holds_no_placeholder_of_an_address_is_left_alone(location: str) -> None:
    assert fill(location, None, None) == location


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://ann:pw@example.com/x", "https://ann:***@example.com/x"),
        ("https://ann@example.com/x", "https://ann@example.com/x"),
        ("https://example.com/@a/b?c=d@e&f", "https://example.com/@a/b?c=d@e&f"),
        (
            "https://example.com/x?X-Amz-Signature=5f&X-Amz-Date=1&sig=q&api_key=k&monkey=m",
            "https://example.com/x?X-Amz-Signature=***&X-Amz-Date=1&sig=***&api_key=***&monkey=m",
        ),
        ("https://ann:p/w@example.com/x", "https://***"),
        ("/srv/a?token=b", "/srv/a?token=b"),
    ],
)
def test_a_key_in_an_address_is_not_shown(location: str, shown: str) -> None:
    assert without_secrets(location) == shown


def test_a_request_does_not_show_what_it_carries() -> None:
    request = Request(bearer=SecretStr("t0ken"), headers={"X-Key": "k3y"}, params={"auth": "qu3ry"})
    assert request.sent_headers() == {"X-Key": "k3y", "Authorization": "Bearer t0ken"}
    assert not [secret for secret in ("t0ken", "k3y", "qu3ry") if secret in repr(request)]


@pytest.mark.parametrize("token", ["t0ken\n", "t0\r\nken", "t0kén", " t0ken "])
def test_a_token_that_no_header_can_hold_is_refused_unseen(token: str) -> None:
    with pytest.raises(SourceError, match="header X-Key") as caught:
        Request(headers={"X-Key": SecretStr(token)})
    assert "t0" not in str(caught.value)


def test_a_name_that_no_header_can_have_is_refused() -> None:
    with pytest.raises(SourceError, match="cannot be the name"):
        Request(headers={"X Key": "v"})


def test_a_token_in_plain_text_is_refused_unseen() -> None:
    with pytest.raises(SourceError, match="takes a secret, not plain text") as caught:
        Request(bearer="env:t0ken")  # pyrefly: ignore
    assert "t0ken" not in str(caught.value)
