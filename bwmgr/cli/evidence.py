"""`evidence`: a signed archive of a period, and its check."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bwmgr.cli.instants import window
from bwmgr.cli.output import emit, format_option, note
from bwmgr.cli.progress import bar
from bwmgr.cli.session import Session
from bwmgr.errors import BwmgrError, UsageError, unwritable
from bwmgr.model.said import Said

if TYPE_CHECKING:
    from bwmgr.reports.evidence.verifier.check import Outcome
    from bwmgr.stores.journal_keys import SigningKey

_MONTH_SECONDS = 30 * 86400


@click.group()
def evidence() -> None:
    """Evidence packs: signed archives of a period from which every figure can be recomputed without bwmgr."""


@evidence.command("build")
@click.option("--start", required=True, help="From this time on; without a zone, the organisation's.")
@click.option("--end", required=True, help="Up to, not including, this time.")
@click.option(
    "--out", "path", type=click.Path(dir_okay=False, path_type=Path), help="File to write (default: evidence-START-END.zip)."
)
@click.option("--key", "key_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Private key that signs (default: journal.key of the configuration).")  # fmt: skip
@click.option("--requests", "requests_path", type=click.Path(dir_okay=False, path_type=Path),
              help="CSV `link,down,up` of what agencies asked for, to stand beside what was measured.")  # fmt: skip
@click.pass_obj
def evidence_build(
    session: Session, start: str, end: str, path: Path | None, key_path: Path | None, requests_path: Path | None
) -> None:
    """Write the pack of a period: contracts, limits, samples with their hashes, methods, figures, journal, reports; signed.

    The same history gives the same file, to the octet. It holds no secret.
    """
    from bwmgr.daemon.acting import acting
    from bwmgr.daemon.evidence_pack import build_pack
    from bwmgr.daemon.plan_requests import read_requests

    words, zone = session.words, session.settings.inventory.organisation.timezone
    key = _signing_key(session, key_path)
    requests = read_requests(requests_path) if requests_path else None
    with session.application() as application, bar(words.text("evidence")) as show:
        first, last = window(start, end, zone, application.clock.now(), _MONTH_SECONDS)
        if last > application.clock.now():
            raise UsageError(
                Said("the period ends in the future ({end}): a pack holds what was, not what may be", end=last.isoformat())
            )
        target = path or Path(f"evidence-{first.astimezone(words.zone):%Y%m%d}-{last.astimezone(words.zone):%Y%m%d}.zip")
        try:
            built = build_pack(application, first, last, target, key, requests=requests, progress=show)
            details = {"start": first, "end": last, "rows": built.rows, "sha256": _digest(target)}
            application.trail.record("evidence.built", target.name, details, by=acting(session.settings, None, None))
        except OSError as error:
            raise BwmgrError(unwritable(target, error)) from error
    note(words.text("written: {path}", path=str(built.path)))
    note(words.text("{series} links and uplinks, {rows} rows of samples", series=built.series, rows=built.rows))
    note(words.text("public key, to be made known: {key}", key=built.public_key))
    if built.not_enough:
        note(words.plural("{count} figure lacks data: less than 70 % of its time was measured; the pack says which",
                          "{count} figures lack data: less than 70 % of their time was measured; the pack says which",
                          count=built.not_enough))  # fmt: skip


@evidence.command("verify")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", default="", help="Public key that it must be signed with, hexadecimal, or its file (FILE.pub).")
@click.option("--lang", type=click.Choice(["id", "en"]), help="Language of the findings (default: the organisation's, else id).")
@format_option
@click.pass_obj
def evidence_verify(session: Session, path: Path, key: str, lang: str | None, form: str) -> None:
    """Check a pack: signature, hashes, and every figure again from its samples. Needs no configuration.

    Exit code 0 where all agrees, 1 where something differs, 2 where FILE is no pack.
    """
    from bwmgr.reports.evidence.verifier import told
    from bwmgr.reports.evidence.verifier.archive import NoPack
    from bwmgr.reports.evidence.verifier.check import check

    wanted, language = _public_key(key), lang or session.language or _language(session)
    try:
        with bar("evidence") as show:
            outcome = check(path, key=wanted, progress=show)
    except NoPack as error:
        raise UsageError(told.sentence(error.finding, language)) from error
    document = _document(outcome)
    emit(form, document, document["findings"], lambda: click.echo("\n".join(told.report(outcome, language, key=wanted))))
    if outcome.findings:
        sys.exit(1)


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "agrees": not outcome.findings,
        "figures": outcome.figures,
        "samples": outcome.samples,
        "public_key": outcome.public_key,
        "findings": [
            {"code": one.code, "file": one.file, "what": one.what, "recomputed": one.mine, "written": one.theirs}
            for one in outcome.findings
        ],
    }


def _signing_key(session: Session, path: Path | None) -> SigningKey:
    from bwmgr.daemon.journal_trail import configured_key
    from bwmgr.stores.journal_keys import signing_key

    if path is None:
        configured = configured_key(session.settings.journal)
        if configured is None:
            raise UsageError(
                Said("no key to sign with: configure journal.key, or give --key FILE; `bwmgr audit key FILE` makes one")
            )
        return configured
    try:
        return signing_key(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(Said("{path} cannot be read as a key: {why}", path=path, why=str(error))) from error


def _public_key(key: str) -> str:
    """As hexadecimal; a file's name stands for what is in it."""
    from bwmgr.stores.journal_keys import verifying_key

    return verifying_key(Path(key)).hexadecimal if key and Path(key).is_file() else key


def _language(session: Session) -> str:
    try:
        return session.settings.inventory.organisation.language
    except BwmgrError:
        return "id"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
