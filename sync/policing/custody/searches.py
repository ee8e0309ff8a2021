"""What the record of a search must say (PACE 1984 sections 54 and 55, Code C 4.1 and Annex A)."""

from collections.abc import Iterator

from schemas.kinds.care import AdultAtSearch, Extent, Search
from schemas.settings.care import CareSettings

_ADULT = (AdultAtSearch.PRESENT, AdultAtSearch.DECLINED_BY_DETAINEE)


def search_problems(search: Search, settings: CareSettings, *, protected: bool) -> Iterator[tuple[str, bool]]:
    """What is missing, each in words, and whether urgency may stand for it (Annex A 11(c): a risk of serious harm).

    Args:
        search: the entry.
        settings: the force's.
        protected: whether the person is under 18 or vulnerable.
    """
    if search.extent == Extent.OUTER_CLOTHING:
        return
    ranks = settings.intimate_search_ranks if search.extent == Extent.INTIMATE else settings.strip_search_ranks
    if search.reason is None:
        yield "the reason why it was thought needed", False
    if search.authority is None:
        yield "who authorised it", False
    if ranks and (search.rank is None or search.rank.value not in ranks):
        yield f"a rank of {' or '.join(one.replace('-', ' ') for one in ranks)} authorises it", False
    if search.result is None:
        yield "the result", False
    if search.same_sex is not True:
        yield "all present were of the detainee's sex", False
    if len(search.by) < settings.strip_search_people_min:
        yield f"{settings.strip_search_people_min} people beside the detainee were present, by name", True
    if protected and search.adult not in _ADULT:
        yield "the appropriate adult was present, or the detainee did not want that", True
