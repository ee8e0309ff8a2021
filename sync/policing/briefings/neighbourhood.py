"""What the neighbourhood may be told: an update that can be published, made of nothing that could name anybody.

Nothing OFFICIAL-SENSITIVE, no name and no address can leave, by construction: no text of a record is ever copied. What
is written is counts of incidents, by category and by area, and the texts below, which were written for everybody; an
area's slug counts as a name only where the caller says that it is one to be published. A test holds the words of an
update against the words that there are, whatever the records hold.

Sources: DOMAIN, Briefings and information (OFFICIAL-SENSITIVE); the seed row "publishable neighbourhood update". That
small numbers are not told is general practice with published crime figures.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.ids import Millis
from schemas.kinds import Briefing, Incident
from schemas.kinds.briefing import Classification, Topic
from schemas.kinds.incident import Category
from schemas.scopes import closed
from schemas.settings import Settings
from sync.policing.briefings.standing import Standing, standing
from sync.policing.incidents.abuse import is_abuse

HEADING: Final = "Your neighbourhood: {area}"
NOTHING: Final = "There is nothing to report for this period."
COUNT: Final = "{words}: {count}"
FEW: Final = "fewer than {least}"
CATEGORIES: Final = {
    Category.ANTISOCIAL_PERSONAL: "Antisocial behaviour towards a person",
    Category.ANTISOCIAL_NUISANCE: "Antisocial behaviour: nuisance",
    Category.ANTISOCIAL_ENVIRONMENTAL: "Antisocial behaviour: surroundings",
    Category.CRIME: "Reports of crime",
    Category.TRANSPORT: "Road and transport",
    Category.PUBLIC_SAFETY: "Public safety and welfare",
}
ADVICE: Final = {
    Topic.BURGLARY: "Burglary: lock doors and windows when you go out, sheds and garages too.",
    Topic.VEHICLE_CRIME: "Vehicle crime: leave nothing in view, and check that your car has locked.",
    Topic.THEFT_FROM_SHOPS: "Theft from shops: staff should report every theft, and not put themselves at risk.",
    Topic.PERSONAL_ROBBERY: "Robbery: keep your phone out of sight where few people are about.",
    Topic.BICYCLE_THEFT: "Bicycle theft: lock the frame and both wheels, and register your bicycle.",
    Topic.FRAUD: "Fraud: no bank and no police officer will ask you to move money or to hand over a card.",
    Topic.ANTISOCIAL_BEHAVIOUR: "Antisocial behaviour: tell us when and where; it decides where we patrol.",
}
"""What may be said of each topic: texts that were written to be published."""


def update(  # noqa: PLR0917  what an update is made of
    area: str,
    names: Mapping[str, str],
    briefings: Iterable[Briefing],
    incidents: Iterable[Incident],
    begin: Millis,
    end: Millis,
    settings: Settings,
) -> str:
    """The update of an area for a period, to be published as it is.

    Args:
        area: slug of the Local Policing Area.
        names: slug -> the name of the area as it is published, for the areas that there are.
        briefings: what was issued. Of one that is open, OFFICIAL and valid at the end of the period its topic is told.
        incidents: what was reported; those of this area and this period are counted. A closed one is not even counted,
            nor one that bears a qualifier of `public_never`, or from which such a crime was recorded.
        begin, end: of the period (ms since 1970), the end not included.
        settings: the force's: which categories are counted, and from which number on they are told.

    Raises:
        KeyError: the area has no name to be published.
    """
    topics = {one.topic for one in briefings if one.topic is not None and _may_be_told(one, area, end)}
    counts = Counter(
        one.category
        for one in incidents
        if one.area == area and begin <= one.opened_at < end and _may_be_counted(one, settings)
    )
    lines = [
        COUNT.format(words=words, count=_in_words(counts[category], settings.briefings.public_least))
        for category, words in CATEGORIES.items()
        if category.value in settings.briefings.public_categories and counts[category]
    ]
    told = [*lines, *(text for topic, text in ADVICE.items() if topic in topics)]
    return "\n".join([HEADING.format(area=names[area]), "", *(told or [NOTHING])]) + "\n"


def _may_be_told(briefing: Briefing, area: str, now: Millis) -> bool:
    """Whether its topic may be told here: a topic is one of a list, and never what the briefing says."""
    return (
        briefing.classification == Classification.OFFICIAL
        and not any(map(closed, briefing.audience))
        and not {"force", f"area:{area}"}.isdisjoint(briefing.audience)
        and standing(briefing, now) == Standing.VALID
    )


def _may_be_counted(incident: Incident, settings: Settings) -> bool:
    named = {*incident.qualifiers, *(one.type for one in incident.crimes)}
    if is_abuse(incident, settings.incidents):
        named.add(settings.incidents.abuse_qualifier)
    return not any(map(closed, incident.scopes())) and named.isdisjoint(settings.briefings.public_never)


def _in_words(count: int, least: int) -> str:
    return FEW.format(least=least) if count < least else str(count)
