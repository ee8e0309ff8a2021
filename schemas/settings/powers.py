"""How the use of powers is recorded and published: what forces differ in.

The words of legislation, objects and outcomes are those that data.police.uk publishes, so that an export needs no
translating; a force that knows another power adds it here.
"""

from typing import Annotated

import msgspec

from schemas.ids import SlugText
from schemas.kinds.common import Line, Position
from schemas.settings.incidents import Code


class SearchPower(msgspec.Struct, frozen=True, array_like=True):
    """A power of stop and search.

    Attributes:
        code: what a record says.
        words: as it is published.
        authorised: whether it rests on an authorisation for a place and time, and not on suspicion of the person.
    """

    code: SlugText
    words: Line
    authorised: bool = False


class SearchOutcome(msgspec.Struct, frozen=True, array_like=True):
    """How a stop and search ended.

    Attributes:
        code: what a record says.
        words: as it is published.
        further: whether anything followed; only then can it have been for the object that was looked for.
    """

    code: SlugText
    words: Line
    further: bool = True


class MapPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place in whose stead nobody is recognised: the middle of a street, a park, a station.

    Attributes:
        name: what it is called.
        position: where it is.
    """

    name: Line
    position: Position


_PACE = "Police and Criminal Evidence Act 1984"


class PowerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's text.

    Attributes:
        search_powers: the powers of stop and search.
        search_objects: what is looked for.
        search_outcomes: how a search can end.
        clothing_authority: whether somebody must agree before more than outer clothing comes off.
        same_force_ms: two reports by one officer about one person at one incident are taken for one within this time
            (ms).
        map_points: the places that stand for all positions in what is published; none: the squares of a grid do.
        map_point_metres_max: a position further than that from every map point is left out.
        grid_metres: side of a square of the grid.
    """

    search_powers: tuple[SearchPower, ...] = (
        SearchPower("pace-1", f"{_PACE} (section 1)"),
        SearchPower("misuse-of-drugs-23", "Misuse of Drugs Act 1971 (section 23)"),
        SearchPower("firearms-47", "Firearms Act 1968 (section 47)"),
        SearchPower("criminal-justice-139b", "Criminal Justice Act 1988 (section 139B)"),
        SearchPower("public-order-60", "Criminal Justice and Public Order Act 1994 (section 60)", authorised=True),
        SearchPower("pace-6", f"{_PACE} (section 6)"),
        SearchPower("aviation-security-27", "Aviation Security Act 1982 (section 27(1))"),
        SearchPower("crossbows-4", "Crossbows Act 1987 (section 4)"),
        SearchPower("customs-163", "Customs and Excise Management Act 1979 (section 163)"),
        SearchPower("hunting-8", "Hunting Act 2004 (section 8)"),
        SearchPower("poaching-2", "Poaching Prevention Act 1862 (section 2)"),
        SearchPower("psychoactive-36", "Psychoactive Substances Act 2016 (s36(2))"),
        SearchPower("wildlife-19", "Wildlife and Countryside Act 1981 (section 19)"),
    )
    search_objects: tuple[Code, ...] = (
        Code("controlled-drugs", "Controlled drugs"),
        Code("offensive-weapons", "Offensive weapons"),
        Code("stolen-goods", "Stolen goods"),
        Code("theft-articles", "Article for use in theft"),
        Code("damage-articles", "Articles for use in criminal damage"),
        Code("firearms", "Firearms"),
        Code("fireworks", "Fireworks"),
        Code("crossbows", "Crossbows"),
        Code("threatening-things", "Anything to threaten or harm anyone"),
        Code("evidence-under-act", "Evidence of offences under the Act"),
        Code("wildlife-evidence", "Evidence of wildlife offences"),
        Code("poaching-equipment", "Game or poaching equipment"),
        Code("hunting-equipment", "Seals or hunting equipment"),
        Code("psychoactive-substances", "Psychoactive substances"),
        Code("duty-goods", "Goods on which duty has not been paid etc."),
    )
    search_outcomes: tuple[SearchOutcome, ...] = (
        SearchOutcome("no-further-action", "A no further action disposal", further=False),
        SearchOutcome("arrest", "Arrest"),
        SearchOutcome("summons", "Summons / charged by post"),
        SearchOutcome("community-resolution", "Community resolution"),
        SearchOutcome("drugs-warning", "Khat or Cannabis warning"),
        SearchOutcome("penalty-notice", "Penalty Notice for Disorder"),
        SearchOutcome("caution", "Caution (simple or conditional)"),
    )
    clothing_authority: bool = True
    same_force_ms: Annotated[int, msgspec.Meta(ge=0)] = 10 * 60_000
    map_points: tuple[MapPoint, ...] = ()
    map_point_metres_max: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    grid_metres: Annotated[int, msgspec.Meta(ge=100, le=100_000)] = 500
