"""A template and figures into a PDF. WeasyPrint stops here.

Owns where templates come from (the office's folder before the shipped one), what a template may reach (its own folder and data:
addresses, never the network) and that the same template and figures give the same bytes. How figures are written is
`bwmgr.language`, offered to templates as `words`, as `_()` and as filters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bwmgr.errors import UsageError, unwritable
from bwmgr.model.said import Said, said_by

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from bwmgr.language import Words

SUFFIX = ".html.j2"
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms\b|[kMGT]?bps\b|[kMGT]?B\b))")
_SHIPPED = files("bwmgr.reports.documents") / "templates"


def render_pdf(template: str, context: Mapping[str, Any], *, words: Words, templates_folder: Path | None = None) -> bytes:
    """The PDF of a template, by its name without `.html.j2`, in the language and zone of `words`.

    The same arguments give the same bytes on one machine (fonts are the machine's). A template of `templates_folder` stands in
    for the shipped one of the same name, also for the base that others extend.

    Raises: UsageError where a template is not there, is wrong, names an unknown figure or wants what it may not reach.
    """
    return to_pdf(render_html(template, context, words=words, templates_folder=templates_folder), templates_folder)


def render_html(template: str, context: Mapping[str, Any], *, words: Words, templates_folder: Path | None = None) -> str:
    """The page that becomes the PDF. Raises: as `render_pdf`."""
    from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

    try:
        return _environment(words, templates_folder).get_template(f"{template}{SUFFIX}").render(words=words, **context)
    except TemplateNotFound as error:
        raise UsageError(
            Said("no template {name}; shipped are {known}", name=error.name, known=", ".join(template_names()))
        ) from error
    except TemplateSyntaxError as error:
        raise UsageError(f"{error.filename or error.name}:{error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise UsageError(f"{_place(error) or template}: {error.message}") from error


def to_pdf(html: str, templates_folder: Path | None = None) -> bytes:
    """A page as PDF; pictures are looked for in `templates_folder`, else beside the shipped templates. Raises: UsageError."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import FatalURLFetchingError
    except OSError as error:  # its libraries are the system's
        raise UsageError(Said("PDF documents need the packages {packages}: {why}", packages=PACKAGES, why=str(error))) from error
    with as_file(_SHIPPED) as shipped:
        folder = (templates_folder or shipped).resolve()
        try:
            page = HTML(string=html, base_url=folder.as_uri() + "/", url_fetcher=_fetcher(folder))
            return bytes(page.write_pdf(pdf_identifier=hashlib.sha256(html.encode()).digest()[:16]))
        except FatalURLFetchingError as error:
            raise UsageError(said_by(error)) from error


def template_names() -> list[str]:
    """Names of the shipped templates, sorted; those that others are built from are among them."""
    return sorted(entry.name.removesuffix(SUFFIX) for entry in _SHIPPED.iterdir() if entry.name.endswith(SUFFIX))


def copy_templates(folder: Path) -> list[Path]:
    """Copies the shipped templates to be edited, and leaves alone those that are there already; returns what it wrote.

    Raises: UsageError where the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in sorted(_SHIPPED.iterdir(), key=lambda one: one.name):
            path = folder / entry.name
            if entry.name.endswith(SUFFIX) and not path.exists():
                path.write_bytes(entry.read_bytes())
                written.append(path)
    except OSError as error:
        raise UsageError(unwritable(folder, error)) from error
    return written


@lru_cache(maxsize=4)
def _environment(words: Words, templates_folder: Path | None) -> ImmutableSandboxedEnvironment:
    """Kept, so that sixty pages compile their template once; a template that was edited since is seen all the same."""
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    shipped = PackageLoader("bwmgr.reports.documents", "templates")
    environment = ImmutableSandboxedEnvironment(
        loader=shipped if templates_folder is None else ChoiceLoader([FileSystemLoader(templates_folder), shipped]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_together,
    )
    environment.globals["_"] = words.text
    environment.filters.update(_filters(words))
    return environment


def _filters(words: Words) -> dict[str, Callable[..., str]]:
    """`{{ price | money }}` and so on; None is a dash in each."""
    return {
        "number": words.number,
        "rate": words.rate,
        "limit": words.limit,
        "octets": words.octets,
        "percent": words.ratio,
        "duration": words.duration,
        "money": words.money,
        "date": words.date,
        "month": words.month,
        "instant": words.instant,
        "direction": words.direction,
    }


def _together(word: object) -> object:
    """A figure and its unit stay on one line."""
    return type(word)(_BEFORE_UNIT.sub("\u00a0", word)) if isinstance(word, str) else word


def _place(error: BaseException) -> str:
    """`file:line` of the template where an error arose; empty where none of its frames is a template."""
    import traceback

    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(SUFFIX)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _fetcher(folder: Path) -> Callable[..., Any]:
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    class Fetcher(URLFetcher):  # type: ignore[misc]  # the library has no types
        """Opens data: addresses and files of the folder; anything else stops the document rather than being left out of it."""

        def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> object:
            parts = urlsplit(url)
            allowed = parts.scheme == "data" or (
                parts.scheme == "file" and Path(unquote(parts.path)).resolve().is_relative_to(folder)
            )
            if not allowed:
                raise FatalURLFetchingError(
                    Said(
                        "a template may not open {url}: only files of {folder} and data: addresses",
                        url=url[:120],
                        folder=folder,
                    )
                )
            return super().fetch(url, headers)

    return Fetcher()
