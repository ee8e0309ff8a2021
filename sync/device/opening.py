"""What an asynchronous `open` gives: await it, or use it in `async with`, as developers know it from elsewhere."""

from collections.abc import Awaitable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Protocol, TypeVar


class Closable(Protocol):
    """Something that is closed when its block ends."""

    async def close(self) -> None:
        """Close it."""


T_co = TypeVar("T_co", bound=Closable, covariant=True)


class Opening(Awaitable[T_co], AbstractAsyncContextManager[T_co]):
    """An opening that has not begun yet. Used once."""

    def __init__(self, opening: Coroutine[Any, Any, T_co]) -> None:
        """Wrap the coroutine that does it."""
        self._opening = opening
        self._opened: Closable | None = None

    def __await__(self) -> Generator[Any, Any, T_co]:
        return self._opening.__await__()

    async def __aenter__(self) -> T_co:
        opened = await self._opening
        self._opened = opened
        return opened

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
