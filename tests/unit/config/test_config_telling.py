"""`notify:`: what it comes to, what is shown of it, and what an office gets wrong."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from bwmgr import config
from bwmgr.config.settings import Settings
from bwmgr.daemon.logs import secrets_of
from bwmgr.errors import ConfigurationError
from bwmgr.model.notice import Email, Kind, Severity, Telegram, Webhook

BASE = "organisation: {name: Kominfo}\n"
EVERYTHING = """\
notify:
  pages: https://bwmgr.example.go.id
  silent: 10m
  saturated: 30m
  event: 2d
  keep_trying: 1d
  receivers:
    - {id: noc, telegram: {token: {env: BWMGR_TEST_SECRET}, chat: "-100123"}, severity: warning, kinds: [silence, saturation],
       digest: "07:30", at_once: critical, quiet: "12:00-13:00, 21:00-06:00", most_per_hour: 5, language: id}
    - {id: kabid, email: {host: mail.example.go.id, port: 465, security: tls, user: u, password: {env: BWMGR_TEST_SECRET},
       from: bwmgr@example.go.id, to: ["Kabid <kabid@example.go.id>", noc@example.go.id]}}
    - {id: relay, email: {host: 127.0.0.1, port: 25, security: none, from: a@b, to: [c@d]}}
    - id: wa
      webhook:
        secret_url: {env: BWMGR_TEST_URL}
        headers: {Authorization: {env: BWMGR_TEST_SECRET}}
        template: |
          {"target": "62811",
           "message": {{ text | tojson }}}
    - {id: hook, webhook: {url: "http://127.0.0.1:8000/x"}}
"""


def load(folder: Path, text: str) -> Settings:
    (folder / "bwmgr.yaml").write_text(BASE + text, encoding="utf-8")
    return config.load(folder / "bwmgr.yaml", policies={})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BWMGR_TEST_SECRET", "s3cr3t-token")
    monkeypatch.setenv("BWMGR_TEST_URL", "https://gateway.example/s3cr3t-path")
    return tmp_path


def test_what_the_section_comes_to(folder: Path) -> None:
    """Each receiver with its channel; what is left out has its default."""
    telling = load(folder, EVERYTHING).notify
    noc, kabid, relay, wa, hook = telling.receivers
    assert (telling.silent_seconds, telling.saturated_seconds, telling.event_seconds) == (600, 1800, 172800)
    assert isinstance(noc.channel, Telegram)
    assert (noc.channel.chat, noc.severity, noc.kinds) == ("-100123", Severity.WARNING, (Kind.SILENCE, Kind.SATURATION))
    assert (noc.digest, noc.most_per_hour, noc.quiet[1]) == (time(7, 30), 5, (time(21), time(6)))
    assert isinstance(kabid.channel, Email)
    assert (kabid.channel.security, kabid.channel.sender, len(kabid.channel.recipients)) == ("tls", "bwmgr@example.go.id", 2)
    assert (kabid.severity, kabid.kinds, kabid.digest, kabid.most_per_hour) == (Severity.INFO, (), None, 20)
    assert isinstance(relay.channel, Email)
    assert relay.channel.security == "none"
    assert isinstance(wa.channel, Webhook)
    assert wa.channel.address == "https://gateway.example/s3cr3t-path"
    assert isinstance(hook.channel, Webhook)
    assert hook.channel.address == "http://127.0.0.1:8000/x"


def test_shown_loads_to_the_same_and_shows_no_secret(folder: Path) -> None:
    """Token, password, header and secret address only as where they come from (fault 53)."""
    settings = load(folder, EVERYTHING)
    text = config.show(settings)
    assert "s3cr3t" not in text
    (folder / "shown.yaml").write_text(text, encoding="utf-8")
    assert config.load(folder / "shown.yaml", policies={}).notify == settings.notify
    assert {secret.reveal() for secret in secrets_of(settings)} == {"s3cr3t-token", "https://gateway.example/s3cr3t-path"}


RECEIVER = "notify: {{receivers: [{{id: a, {}}}]}}"
MAIL = "email: {{host: h, from: a@b, to: [c@d]{}}}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RECEIVER.format("severity: info"), "write one of telegram, email, webhook"),
        (
            RECEIVER.format("telegram: {token: {env: BWMGR_TEST_SECRET}, chat: x}, webhook: {url: 'http://h'}"),
            "write one of telegram",
        ),
        (RECEIVER.format("telegram: {token: s3cr3t, chat: x}"), "a secret is not written here"),
        (RECEIVER.format("telegram: {token: {env: BWMGR_TEST_SECRET}}"), "chat: missing"),
        (RECEIVER.format("webhook: {}"), "write url:, or secret_url:"),
        (RECEIVER.format("webhook: {url: 'http://u:p@h'}"), "has a user or password in it"),
        (RECEIVER.format("webhook: {secret_url: {env: BWMGR_TEST_SECRET}}"), "is no URL"),
        (RECEIVER.format("webhook: {url: 'http://h', template: '{{ text '}"), "is no template"),
        (RECEIVER.format(MAIL.format(", user: u")), "belong together"),
        (RECEIVER.format(MAIL.format(", user: u, password: {env: BWMGR_TEST_SECRET}, security: none")), "not sent in the clear"),
        (RECEIVER.format("email: {host: h, from: noc, to: [c@d]}"), "'noc' is no e-mail address"),
        (RECEIVER.format("email: {host: h, from: a@b, to: []}"), "is no e-mail address"),
        (RECEIVER.format('email: {host: h, from: a@b, to: ["c@d\\nBcc: x@y"]}'), "line break"),
        (RECEIVER.format("webhook: {url: 'http://h'}, at_once: warning"), "does not wait for the digest"),
        (RECEIVER.format("webhook: {url: 'http://h'}, quiet: 'night'"), "not hours"),
        (RECEIVER.format("webhook: {url: 'http://h'}, kinds: [silent]"), "did you mean 'silence'?"),
        (
            "notify: {receivers: [{id: a, webhook: {url: 'http://h'}}, {id: a, webhook: {url: 'http://h'}}]}",
            "id of receivers already",
        ),
    ],
)
def test_what_is_wrong_is_said(folder: Path, text: str, problem: str) -> None:
    """With its line, and without the secret (faults 51 and 53)."""
    with pytest.raises(ConfigurationError) as refused:
        load(folder, text)
    assert problem in str(refused.value)
    assert f"{folder}/bwmgr.yaml:2: " in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
