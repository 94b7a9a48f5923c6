"""The pages as a WSGI application: addresses, languages, who may read, and the headers that keep a browser careful.

Owns no figure and no process. Only reads: GET and HEAD (RFC 9110 section 9.1); everything else is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from flask import Flask, Response, abort, g, make_response, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from bwmgr import __version__
from bwmgr.daemon.application import Application
from bwmgr.daemon.labels import ACTIONS, STATES, STATUSES
from bwmgr.daemon.web.access import Access, Verdict
from bwmgr.daemon.web.pages import WINDOW_NAMES, WINDOWS, Pages
from bwmgr.errors import StoreError, UsageError
from bwmgr.language import LANGUAGES, Words
from bwmgr.model.inventory import Direction
from bwmgr.model.said import said_by

log = structlog.get_logger()

LONGEST_QUERY = 512
"""Octets; the longest that a page asks for is a fifth of it."""
_PARAMETERS = ("q", "state", "page", "window", "status")
_YEAR_SECONDS = 365 * 86400
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Health = Callable[[], Mapping[str, Any]]


def make_site(application: Application, access: Access, health: Health) -> Flask:
    """`health` gives the daemon's facts; empty where it does not answer.

    One page is made at a time, since polling needs the processor too.
    """
    site = Flask(__name__, static_folder="static", template_folder="templates")
    site.select_jinja_autoescape = lambda filename: True  # type: ignore[method-assign]  # ours end in .j2
    site.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    site.config.update(SEND_FILE_MAX_AGE_DEFAULT=_YEAR_SECONDS, MAX_CONTENT_LENGTH=0)
    views = _Views(application, access, health)
    site.before_request(views.admit)
    site.after_request(views.harden)
    site.context_processor(views.shared)
    for rule, view in (
        ("/", views.overview),
        ("/links", views.links),
        ("/links/<name>", views.link),
        ("/recommendations", views.recommendations),
        ("/recommendations/<name>", views.recommendation),
        ("/health", views.health),
    ):
        site.add_url_rule(rule, view.__name__, views.one_at_a_time(view), methods=["GET"])
    site.register_error_handler(HTTPException, views.refused)
    site.register_error_handler(UsageError, views.unknown)
    site.register_error_handler(StoreError, views.store_away)
    site.register_error_handler(Exception, views.broken)
    return site


class _Views:
    """One method a page."""

    def __init__(self, application: Application, access: Access, health: Health) -> None:
        self._application, self._access, self._health = application, access, health
        self._lock = threading.Lock()

    def one_at_a_time(self, view: Callable[..., str]) -> Callable[..., str]:
        def locked(**values: str) -> str:
            with self._lock:
                return view(**values)

        return locked

    def admit(self) -> AnyResponse | None:
        """Before anything is read."""
        g.words = self._words()
        verdict = self._access.verdict(request.environ, request.authorization)
        if verdict is Verdict.ELSEWHERE:
            return Response("421: open pages are read as localhost, 127.0.0.1 or [::1] only\n", 421, mimetype="text/plain")
        if verdict is Verdict.ASK:
            log.warning("web page refused", why="no token, or a wrong one", peer=request.remote_addr)
            return Response("401: token needed\n", 401, {"WWW-Authenticate": 'Basic realm="bwmgr", charset="UTF-8"'})
        if verdict is Verdict.STRANGER:
            log.warning("web page refused", why="no user named by a known proxy", peer=request.remote_addr)
            abort(403, description=g.words.text("These pages are read by way of the reverse proxy only."))
        if len(request.query_string) > LONGEST_QUERY:
            abort(414)
        return None

    def harden(self, response: Response) -> Response:
        """After everything, errors and files too."""
        response.headers.update(_HEADERS)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        if request.args.get("lang") in LANGUAGES and response.status_code < 400:
            response.set_cookie("lang", request.args["lang"], max_age=_YEAR_SECONDS, httponly=True, samesite="Strict")
        return response

    def shared(self) -> dict[str, Any]:
        """What every template has."""
        organisation = self._application.inventory.organisation
        return {
            "words": g.words,
            "organisation": organisation,
            "Direction": Direction,
            "version": __version__,
            "now": self._application.clock.now(),
            "in_language": _in_language,
            "said": {**STATES, **ACTIONS},
        }

    def overview(self) -> str:
        return render_template("overview.html.j2", page=self._pages().overview())

    def links(self) -> str:
        wanted, state = request.args.get("q", "").strip()[:100], _choice("state", ("", *STATES), "")
        page = _choice_number("page")
        pages = self._pages()
        return render_template(
            "links.html.j2", page=pages.links(wanted, state, page), wanted=wanted, state=state, states=pages.states()
        )

    def link(self, name: str) -> str:
        window = _choice("window", tuple(WINDOWS), "day")
        page = self._pages().link(name, window)
        return render_template(
            "link.html.j2", page=page, window=window, windows=WINDOW_NAMES, chart=json.dumps(self._chart(page.curves.document()))
        )

    def recommendations(self) -> str:
        status, pages = _choice("status", (*STATUSES, "all"), "proposed"), self._pages()
        return render_template("recommendations.html.j2", table=pages.queue(status), status=status, statuses=pages.statuses())

    def recommendation(self, name: str) -> str:
        return render_template("recommendation.html.j2", page=self._pages().recommendation(name), actions=ACTIONS)

    def health(self) -> str:
        daemon, pages = self._health(), self._pages()
        return render_template("health.html.j2", daemon=daemon, facts=pages.health(daemon), completeness=pages.completeness())

    def refused(self, error: HTTPException) -> AnyResponse:
        """An error of the reader's, as a page; its headers (Allow, Location) are kept."""
        if error.code is None or error.code < 400:
            return error.get_response()
        return self._error(error.code, error.description or error.name, dict(error.get_headers(request.environ)))

    def unknown(self, error: UsageError) -> AnyResponse:
        return self._error(404, said_by(error))

    def store_away(self, error: StoreError) -> AnyResponse:
        log.warning("web page without a store", detail=str(error))
        return self._error(
            503, g.words.text("The store does not answer now: {problem}", problem=said_by(error)), {"Retry-After": "60"}
        )

    def broken(self, error: Exception) -> AnyResponse:
        """A defect: told to the log whole, to the reader only that there is one."""
        log.error("web page broke", path=request.path, exc_info=error)
        return self._error(500, g.words.text("A defect of this page; the daemon's log says more."))

    def _error(self, code: int, problem: str, headers: Mapping[str, str] | None = None) -> AnyResponse:
        if "words" not in g:
            g.words = self._words()
        response = make_response(render_template("error.html.j2", code=code, problem=g.words.said(problem)), code)
        kept = {name: text for name, text in (headers or {}).items() if name != "Content-Type"}
        response.headers.update(kept)
        return response

    def _pages(self) -> Pages:
        return Pages(self._application, g.words)

    def _words(self) -> Words:
        organisation = self._application.inventory.organisation
        asked = request.args.get("lang") or request.cookies.get("lang")
        language = asked if asked in LANGUAGES else organisation.language
        return Words(language, organisation.timezone, organisation.currency)

    def _chart(self, curves: dict[str, Any]) -> dict[str, Any]:
        """The curves and the words around them."""
        words: Words = g.words
        return {
            **curves,
            "language": words.language,
            "zone": self._application.inventory.organisation.timezone,
            "words": {
                "time": words.text("Time"),
                "down": words.direction("down").capitalize(),
                "up": words.direction("up").capitalize(),
                "limit": words.text("Limit"),
            },
        }


def _choice(name: str, known: tuple[str, ...], otherwise: str) -> str:
    """A parameter of the address that is one of some words; 400 names them."""
    said = request.args.get(name, otherwise)
    if said not in known:
        allowed = ", ".join(word for word in known if word)
        abort(400, description=g.words.text("{name} is one of: {allowed}", name=name, allowed=allowed))
    return said


def _choice_number(name: str) -> int:
    said = request.args.get(name, "1")
    if not (said.isascii() and said.isdigit() and 0 < len(said) < 6 and int(said)):
        abort(400, description=g.words.text("{name} is a number from 1 on", name=name))
    return int(said)


def _in_language(language: str) -> str:
    """This page's address in a language."""
    if request.endpoint in (None, "static") or request.routing_exception is not None:
        return url_for("overview", lang=language)
    kept = {name: said for name, said in request.args.items() if name in _PARAMETERS}  # never `_scheme` and the like of url_for
    return url_for(str(request.endpoint), **{**kept, **(request.view_args or {}), "lang": language})
