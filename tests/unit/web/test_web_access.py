"""Who may read, and what a hostile reader gets: an answer that says no, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from ipaddress import ip_network

import pytest
from flask.testing import FlaskClient

from bwmgr.daemon.web.site import LONGEST_QUERY
from bwmgr.errors import StoreUnavailable
from bwmgr.model.secret import Secret

Make = Callable[..., FlaskClient]
TOKEN = "a-token-of-the-noc-2026"
LOOPBACK = (ip_network("127.0.0.0/8"),)


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"noc:{password}".encode()).decode()}


@pytest.mark.parametrize("headers", [basic(TOKEN), {"Authorization": f"Bearer {TOKEN}"}])
def test_token_opens_the_pages(make_client: Make, headers: dict[str, str]) -> None:
    """As a browser's password or a program's bearer token."""
    assert make_client(token=Secret(TOKEN)).get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(TOKEN[:-1]),
        basic(""),
        basic("ключ"),
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !"},
        {"Authorization": "Digest x"},
    ],
)
@pytest.mark.parametrize("address", ["/", "/links/dinkes", "/static/site.css", "/nothing"])
def test_wrong_or_missing_token_is_asked_for(make_client: Make, headers: dict[str, str], address: str) -> None:
    """401 with a challenge, and not a word of any page, whatever is asked for."""
    answer = make_client(token=Secret(TOKEN)).get(address, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert "dinkes" not in answer.text
    assert TOKEN not in answer.text


def test_user_header_is_believed_from_the_proxy_alone(make_client: Make) -> None:
    """From its network with a user; without one, or from elsewhere, 403."""
    client = make_client(user_header="X-Remote-User", proxies=LOOPBACK)
    said = {"X-Remote-User": "sari"}
    assert client.get("/", headers=said).status_code == 200
    assert client.get("/", headers={"X-Remote-User": " "}).status_code == 403
    assert client.get("/").status_code == 403
    assert client.get("/", headers=said, environ_base={"REMOTE_ADDR": "10.9.8.7"}).status_code == 403


def test_open_pages_answer_to_their_own_names_only(client: FlaskClient) -> None:
    """Another name means that a foreign site leads a browser here (DNS rebinding)."""
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "127.0.0.1.evil.example:8080", "localhost@evil.example", "[::", ""):
        refused = client.get("/", headers={"Host": host})
        assert refused.status_code == 421
        assert "dinkes" not in refused.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("address", ["/", "/recommendations/0123456789ab", "/static/site.css"])
def test_nothing_can_be_changed(client: FlaskClient, method: str, address: str) -> None:
    """405 with what is allowed."""
    answer = client.open(address, method=method, data=b"")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_body_is_refused(client: FlaskClient) -> None:
    """Whoever sends one means something else."""
    assert client.post("/", data=b"x" * 5000).status_code in {405, 413}


def test_head_has_the_headers_of_get_and_no_body(client: FlaskClient) -> None:
    """RFC 9110 section 9.3.2."""
    answer = client.head("/links")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1000


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/links/dinkess?lang=en", "no link &#39;dinkess&#39; in the configuration; did you mean &#39;dinkes&#39;?"),
        ("/links/dinkess", "tidak ada titik &#39;dinkess&#39; dalam konfigurasi; apakah maksudnya &#39;dinkes&#39;?"),
        ("/links/%3Cscript%3E", "&#39;&lt;script&gt;&#39;"),
        ("/recommendations/ffffff?lang=en", "no recommendation &#39;ffffff&#39;"),
        ("/nothing", "404"),
    ],
)
def test_what_is_not_there_is_named(client: FlaskClient, address: str, said: str) -> None:
    """404 in the reader's language with the name as it was asked for, as text, and what may have been meant."""
    answer = client.get(address)
    assert answer.status_code == 404
    assert said in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/static/../site.py",
        "/static/%2e%2e/site.py",
        "/static/..%2fsite.py",
        "/static//etc/passwd",
        "/static/%2fetc/passwd",
        "/static/..%5csite.py",
        "/static/uplot/../../../settings.py",
        "/static/%00",
        "/static/",
    ],
)
def test_files_beside_the_static_ones_are_out_of_reach(client: FlaskClient, address: str) -> None:
    """However the way up is written."""
    answer = client.get(address)
    assert answer.status_code in {404, 308}
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize("query", ["window=year", "window=", "window=%00", "lang=xx&window=decade", "window=day%27%3Bdrop"])
def test_a_wrong_parameter_is_refused_with_the_right_ones(client: FlaskClient, query: str) -> None:
    """400, and the words that would do."""
    answer = client.get(f"/links/dinkes?{query}")
    assert answer.status_code == 400
    assert "day, week, month" in answer.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "999999999999", "²"])
def test_a_wrong_page_number_is_refused(client: FlaskClient, page: str) -> None:
    """400 for what is no number from 1 on."""
    assert client.get("/links", query_string={"page": page}).status_code == 400


def test_a_huge_query_is_refused(client: FlaskClient) -> None:
    """414 beyond what any page asks for; a long search is cut."""
    assert client.get("/links?q=" + "x" * LONGEST_QUERY).status_code == 414
    assert client.get("/links?q=" + "x" * 400).status_code == 200


def test_language_is_kept_by_a_cookie_and_links_keep_the_page(client: FlaskClient) -> None:
    """Both languages of a page are a link away; an unknown one changes nothing; url_for's own words are not passed on."""
    page = client.get("/links?q=din&lang=en&_scheme=javascript&_external=1")
    assert '<html lang="en">' in page.text
    assert 'href="/links?q=din&amp;lang=id"' in page.text
    assert '<html lang="en">' in client.get("/health").text
    assert '<html lang="id">' in client.get("/health?lang=id").text
    assert '<html lang="id">' in client.get("/health?lang=xx").text


@pytest.mark.parametrize("address", ["/", "/links/dinkes", "/nothing", "/static/chart.js", "/links/dinkes?window=x"])
def test_every_answer_is_fenced_in(client: FlaskClient, address: str) -> None:
    """No inline script or style may run, no frame, no foreign host; pages are not stored, files are, for a year a version."""
    answer = client.get(address)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ("max-age=31536000" if "static" in address else "no-store") in answer.headers["Cache-Control"]
    assert " style=" not in answer.text
    assert "onclick" not in answer.text


def test_a_store_that_is_away_is_said_and_tried_again(make_client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with the store's reason; the next reader may be luckier."""
    client = make_client()

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr("bwmgr.daemon.application.Application.status", away)
        answer = client.get("/")
        assert answer.status_code == 503
        assert "the disk is gone" in answer.text
        assert answer.headers["Retry-After"]
    assert client.get("/").status_code == 200


def test_a_defect_tells_the_reader_nothing(make_client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 without what broke: that is in the log."""
    client = make_client()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr("bwmgr.daemon.application.Application.status", broken)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "secret of the house" not in answer.text
