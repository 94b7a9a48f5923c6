"""What the configuration adds to a trial's figures on paper: who signs, where, by whose templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bwmgr.config.settings import Signer
from bwmgr.reports.trial_document import Paper

if TYPE_CHECKING:
    from bwmgr.config.settings import Settings
    from bwmgr.language import Words
    from bwmgr.model.trial import TrialResult


def paper_of(settings: Settings, result: TrialResult, number: str, words: Words) -> Paper:
    """Signers of `documents.signers.trial`; where there are none, two parties with room for names by hand.

    Dated with the day on which the figures end, so that the same report is the same file.
    """
    provider = settings.inventory.providers.get(result.trial.provider or "")
    parties = (
        Signer(party=words.text("First party"), title=settings.inventory.organisation.name),
        Signer(party=words.text("Second party"), title=provider.name if provider else ""),
    )
    return Paper(
        organisation=settings.inventory.organisation,
        signers=settings.documents.signers.get("trial", parties),
        place=settings.documents.place,
        number=number,
        day=result.as_of.astimezone(words.zone).date(),
        templates=settings.documents.templates,
    )
