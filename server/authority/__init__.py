"""The authority: who is who, as it runs. Acts are committed here, rights follow them and the clock, sessions are told.

`ledger` keeps the registry (`server.registry`) in step with the journal; `keys` holds the server's own keys;
`enrolling` enrols devices, `signing` signs officers in, with their `passphrases` or by a `provider` elsewhere, and
`kept_tries` counts how often either was tried; `gatekeeper` answers the sync sockets (`server.gate`), `admission`
whoever has calls with tokens; `checkpoints` signs the log, `witnessing` has it cosigned; `authority` puts them
together. Nothing here knows HTTP.
"""

from server.authority.admission import Admission, Admitted
from server.authority.authority import Authority
from server.authority.checkpoints import Checkpoints
from server.authority.enrolling import Enrolled, Enrolling
from server.authority.gatekeeper import Gatekeeper
from server.authority.keys import ServerKeys
from server.authority.ledger import Ledger
from server.authority.signing import SignedInSeat, SigningIn

__all__ = [
    "Admission",
    "Admitted",
    "Authority",
    "Checkpoints",
    "Enrolled",
    "Enrolling",
    "Gatekeeper",
    "Ledger",
    "ServerKeys",
    "SignedInSeat",
    "SigningIn",
]
