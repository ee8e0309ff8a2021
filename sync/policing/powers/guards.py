"""What is refused in the record of a stop and search before it is written: which rule, why, and how to go on.

Source: PACE 1984 sections 1 to 3, Code A; College of Policing, stop and search (authorised professional practice).
"""

from collections.abc import Iterator
from typing import Final

from schemas.kinds import StopSearch
from schemas.kinds.powers import Extent, Told
from sync.policing.guards import Breach, Guard, Look

_FORCE: Final = "the force's settings"


def _search(look: Look) -> StopSearch | None:
    return look.after if isinstance(look.after, StopSearch) else None


def known_search_codes(look: Look) -> Iterator[Breach]:
    """Power, object and outcome are those of the force's lists; otherwise nobody could publish or count them."""
    search, lists = _search(look), look.settings.powers
    if search is None:
        return
    for field, what, said, known in (
        ("power", "power of stop and search", search.power, {one.code for one in lists.search_powers}),
        ("object", "object of a search", search.object, {one.code for one in lists.search_objects}),
        ("outcome", "outcome of a search", search.outcome, {one.code for one in lists.search_outcomes}),
    ):
        if look.sets(field) and said is not None and said not in known:
            yield Breach(
                rule=f"search-{field}",
                why=f"{said} is no {what} of the force.",
                remedy=f"Choose one of: {', '.join(sorted(known))}.",
                source=_FORCE,
            )


def authorised(look: Look) -> Iterator[Breach]:
    """Without suspicion of the person, somebody has authorised searches there and then, and the record says who."""
    search = _search(look)
    if search is None or not (look.sets("power") or look.sets("authority")) or search.authority is not None:
        return
    if search.power in {one.code for one in look.settings.powers.search_powers if one.authorised}:
        yield Breach(
            rule="search-authority",
            why="This power rests on an authorisation, and none is named.",
            remedy="Write who authorised searches here, and until when.",
            source="Criminal Justice and Public Order Act 1994 section 60; Code A 2.12, 4.3",
        )


def explained(look: Look) -> Iterator[Breach]:
    """A person is told all eight things of GOWISELY before they are searched."""
    search = _search(look)
    if search is None or not (look.before is None or look.sets("told")):
        return
    missing = [one.value.replace("-", " ") for one in Told if one not in search.told]
    if missing:
        yield Breach(
            rule="search-told",
            why=f"Not told before the search: {', '.join(missing)}.",
            remedy="Tell them, and tick what you told.",
            source="PACE 1984 section 2(3); Code A 3.8",
            # Who runs away or fights, or whose vehicle stands empty, is told nothing.
            override=True,
        )


def clothing_agreed(look: Look) -> Iterator[Breach]:
    """More than outer clothing comes off for a reason, out of view, before the same sex, and somebody agreed to it."""
    search = _search(look)
    clothing = None if search is None else search.clothing
    if clothing is None or not look.sets("clothing") or clothing.extent is Extent.OUTER:
        return
    for said, what in ((clothing.why, "why it was necessary"), (clothing.place, "where it was done")):
        if said is None:
            yield Breach(
                rule="search-clothing",
                why=f"More than outer clothing came off, and it is not said {what}.",
                remedy=f"Write down {what}.",
                source="Code A 3.6, 3.7, 4.3",
            )
    if not (clothing.out_of_view and clothing.same_sex):
        yield Breach(
            rule="search-clothing-privacy",
            why="More than outer clothing comes off out of public view, and before nobody of the other sex.",
            remedy="Say so with the search.",
            source="Code A 3.6, 3.7",
            # The searched person may ask for somebody of the other sex to be there.
            override=True,
        )
    if look.settings.powers.clothing_authority and clothing.authority in {None, look.author}:
        yield Breach(
            rule="search-clothing-authority",
            why="More than outer clothing came off, and nobody else agreed to it.",
            remedy="Name the supervisor who agreed.",
            source="College of Policing, stop and search; the force's settings",
            override=True,
        )


def linked_to_something(look: Look) -> Iterator[Breach]:
    """What followed can be for the object only where something followed."""
    search = _search(look)
    if search is None or not (look.sets("linked") or look.sets("outcome")) or not search.linked:
        return
    if search.outcome not in {one.code for one in look.settings.powers.search_outcomes if one.further}:
        yield Breach(
            rule="search-linked",
            why="The outcome is said to be for what was looked for, and nothing followed from the search.",
            remedy="Write the outcome, or that it is not linked.",
            source="Home Office, annual data requirement: police powers",
        )


def reviewed_by_another(look: Look) -> Iterator[Breach]:
    """Nobody reviews their own search."""
    search = _search(look)
    if search is not None and look.sets("reviews") and look.author.casefold() == search.officer.casefold():
        yield Breach(
            rule="search-review-own",
            why="This is your own search.",
            remedy="Ask another supervisor to review it.",
            source="Code A 5.1",
        )


GUARDS: Final[tuple[Guard, ...]] = (
    known_search_codes,
    authorised,
    explained,
    clothing_agreed,
    linked_to_something,
    reviewed_by_another,
)
