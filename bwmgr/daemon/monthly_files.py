"""A closed month as files: PDF and workbook for the office, a page for each agency.

Owns names of files and who is told to sign; what stands in them is `bwmgr.reports`. Each file is put in its place whole.
"""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bwmgr.config.settings import Signer
from bwmgr.daemon.publish import replace_file
from bwmgr.errors import BwmgrError, UsageError, unwritable
from bwmgr.model.said import Said
from bwmgr.reports.monthly import Paper, agencies, office_pdf, opd_pdf
from bwmgr.reports.monthly_workbook import workbook

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.language import Words
    from bwmgr.model.monthly import Month, MonthLink

MANY = 12
"""So many pages are worth the start of processes."""
MOST_WORKERS = 8
OFFICE_FILE, WORKBOOK_FILE, AGENCIES = "laporan.pdf", "laporan.xlsx", "opd"


def write_month(
    settings: Settings,
    month: Month,
    folder: Path,
    words: Words,
    *,
    links: Sequence[str] = (),
    progress: Callable[[float], None] = lambda _: None,
) -> list[Path]:
    """Writes all files, or the pages of `links` alone; returns their paths.

    Raises: UsageError for a link that is not in the month or a template that is wrong, BwmgrError where a file cannot be written.
    """
    paper, written = paper_of(settings, words), []
    known = {link.id: link for link in month.links}
    if unknown := sorted(set(links) - set(known)):
        raise UsageError(Said("no link {links} in the report of {month}", links=", ".join(unknown), month=month.month))
    pages = [known[name] for name in dict.fromkeys(links)] or agencies(month)
    try:
        if not links:
            written += [_put(folder / OFFICE_FILE, office_pdf(month, paper, words))]
            written += [_put(folder / WORKBOOK_FILE, workbook(month, words))]
        for number, (link, content) in enumerate(_pages(month, pages, paper, words), 1):
            written.append(_put(folder / (AGENCIES if not links else "") / f"{file_name(link.id)}.pdf", content))
            progress(number / len(pages))
    except OSError as error:
        raise BwmgrError(unwritable(folder, error)) from error
    return written


def paper_of(settings: Settings, words: Words) -> Paper:
    """Signers of `documents.signers.monthly`; where there are none, one who made it and one who agrees, with room for names."""
    rooms = (Signer(party=words.text("Prepared by")), Signer(party=words.text("Seen and agreed")))
    return Paper(
        signers=settings.documents.signers.get("monthly", rooms),
        place=settings.documents.place,
        templates=settings.documents.templates,
    )


def file_name(link: str) -> str:
    """Ids are fit for files but for a leading point, which hides one."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", link).lstrip(".") or "_"


def _pages(month: Month, links: Sequence[MonthLink], paper: Paper, words: Words) -> Iterator[tuple[MonthLink, bytes]]:
    """Each link's page, in order; many of them on all cores. A chore of the daemon may have no processes of its own."""
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    if len(links) < MANY or workers < 2 or multiprocessing.current_process().daemon:
        for link in links:
            yield link, opd_pdf(month, link, paper, words)
        return
    given = (month, paper, words.language, month.timezone, month.currency)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=given) as pool:
        yield from zip(links, pool.map(_page, [link.id for link in links]), strict=True)


_given: dict[str, tuple[Month, Paper, Words]] = {}
"""Of a worker: what all its pages are made of."""


def _begin(month: Month, paper: Paper, language: str, timezone: str, currency: str) -> None:
    from bwmgr.language import Words

    _given["all"] = month, paper, Words(language, timezone, currency)


def _page(link: str) -> bytes:
    month, paper, words = _given["all"]
    return opd_pdf(month, next(one for one in month.links if one.id == link), paper, words)


def _put(path: Path, content: bytes) -> Path:
    replace_file(path, content)
    return path
