"""A secret is had by its name, or the error says how to make it and shows nothing."""

import pytest
from prefect.blocks.system import Secret

from runtime.secrets import SecretError, secret


def test_a_variable_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "one")
    assert secret("env:API_TOKEN").get_secret_value() == "one"
    monkeypatch.setenv("API_TOKEN", "two")
    assert secret("env:API_TOKEN").get_secret_value() == "two"
    assert "two" not in repr(secret("env:API_TOKEN"))


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_says_where_to_set_it(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("API_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("API_TOKEN", value)
    with pytest.raises(SecretError, match="API_TOKEN does not exist or is empty. Set it"):
        secret("env:API_TOKEN")


@pytest.mark.parametrize("text", ["s3cret", "env:", "vault:s3cret", ""])
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(SecretError, match="env:NAME.*or secret:block-name") as caught:
        secret(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.slow
def test_a_block_gives_the_text_that_was_saved(prefect_server: None) -> None:
    for text in ("t0ken", "12345678901234567890", "1e5", '{"a": 1}', "true"):
        Secret(value=text).save("api-token", overwrite=True)  # pyrefly: ignore
        assert secret("secret:api-token").get_secret_value() == text


@pytest.mark.slow
def test_a_missing_block_says_how_to_make_it(prefect_server: None) -> None:
    with pytest.raises(SecretError, match=r"block no-such does not exist.*save\('no-such'\)"):
        secret("secret:no-such")


@pytest.mark.slow
def test_a_block_that_holds_no_text_says_so(prefect_server: None) -> None:
    Secret(value={"user": "ann", "password": "s3cret"}).save("login", overwrite=True)  # pyrefly: ignore
    with pytest.raises(SecretError, match="holds dict, not text") as caught:
        secret("secret:login")
    assert "s3cret" not in str(caught.value)
