"""What several acts bring to an end in the same way: a sign-in, a seat."""

from server.registry.state import Seat


def end_sign_in(seat: Seat) -> None:
    """Whoever is signed in at the seat is so no more."""
    sign_in = seat.sign_in
    if sign_in is not None and not sign_in.ended:
        sign_in.ended = True


def retire(seat: Seat) -> None:
    """The seat is never used again: its store is gone, and its numbers must not be counted anew."""
    end_sign_in(seat)
    seat.retired = True
