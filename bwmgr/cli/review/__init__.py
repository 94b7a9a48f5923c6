"""`bwmgr review`: the queue on a full screen. Owns the command; the screen is in `screen`, where textual is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bwmgr.cli.session import Session

if TYPE_CHECKING:
    from bwmgr.cli.review.screen import Review
    from bwmgr.daemon.application import Application


@click.command()
@click.option("--by", help="Who decides (default: the system user); not the author of what is approved.")
@click.pass_obj
def review(session: Session, by: str | None) -> None:
    """Look through the recommendations that wait: sentence, chart, what would be sent, effect; approve or reject them.

    The same rules as `recommendations approve`; nothing is applied from here.
    """
    with session.application() as application:
        review_of(session, application, by).run()


def review_of(session: Session, application: Application, by: str | None) -> Review:
    """The full screen over an application; decisions are `by`'s, or the system user's."""
    from bwmgr.cli.review.screen import Review
    from bwmgr.daemon.advice import decide
    from bwmgr.model.decision import Recommendation, Status
    from bwmgr.model.people import Role

    def decided(name: str, status: Status, note: str) -> Recommendation:
        person = session.acting(by, Role.APPROVER).name
        now, people = application.clock.now(), session.settings.people
        return decide(application.state, name, status, by=person, note=note, at=now, people=people)

    return Review(application, session.words, decided)
