"""What a program asks of the inbox: what waits, which values, and a decision."""

from typing import Any

import httpx

REASON = {"reason": "Looked at the book."}


async def decide(http: httpx.AsyncClient, item: str, value: object, **more: object) -> httpx.Response:
    """Decide."""
    return await http.post(f"/v1/inbox/{item}/decision", json={"value": value, **REASON, **more})


async def listed(http: httpx.AsyncClient, **query: str | int) -> list[str]:
    """Ids of the items that a list gives, page by page."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await http.get("/v1/inbox", params={**query, "after": after})).json()
        found += [line["item"] for line in page["items"]]
        after = page["next"]
    return found


async def values(http: httpx.AsyncClient, item: str) -> list[Any]:
    """What was said."""
    return [one["value"] for one in (await http.get(f"/v1/inbox/{item}")).json()["candidates"]]
