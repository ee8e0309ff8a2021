"""The AsyncAPI 3.0 description of the sync protocol, built from the messages, the scopes and the error registry.

`docs/reference/asyncapi.json` holds what this gives, written by `python -m schemas.jsonschema`. There is one WebSocket;
the channel `connection` is that one, with every message. Behind it each scope has a flow of its own: the other channels
are the families of scopes, once per lane in which what they hold travels. They have no address on the network, which
`x-within` says: a scope's name is their address, and the payload names it.

A payload is described in AsyncAPI's own schema format, which grew from JSON Schema draft-07: `schemas.export` writes
2020-12, and `as_draft_07` says the same with the older words.
"""

from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from schemas import wire
from schemas.errors import ERRORS
from schemas.export import MESSAGES, PARTS, described, message_schema, part_schema, tag_of
from schemas.ids import ScopeName
from schemas.scopes import ALONE, BRIEFING, FAMILIES, INBOX, MEDICAL, SAFETY, lane, snapshot_lane

Schema = dict[str, Any]

VERSION: Final = "3.0.0"
"""Of AsyncAPI."""
PATH: Final = "/v1/sync"
"""Where the server takes WebSockets."""
CONTENT_TYPE: Final = "application/vnd.msgpack"
CONNECTION: Final = "connection"
ANSWERS: Final[dict[str, tuple[str, ...]]] = {
    "hello": ("welcome", "error"),
    "ping": ("pong",),
    "push": ("results",),
    "quarantine": ("quarantined",),
    "reads": ("reads_kept",),
    "repair": ("snapshot",),
    "retract": ("retracted",),
    "wipe": ("wiped",),
}
"""Message -> what the other side answers it with."""
IN_A_SCOPE: Final = ("batch", "snapshot")
"""What travels in the lane of its scope; every other message goes ahead, in the lane `control`."""

_UP: Final = frozenset(map(tag_of, get_args(wire.Up)))
_DOWN: Final = frozenset(map(tag_of, get_args(wire.Down)))
_VALUES: Final = frozenset({"const", "enum", "default", "examples", "required"})
_WITH_NAME: Final = "{name}"
_EXAMPLE_NAME: Final = "birmingham"


def document() -> Schema:
    """The whole description."""
    channels = {CONNECTION: _connection()} | _scope_channels()
    described_whole: Schema = {
        "asyncapi": VERSION,
        "info": {
            "title": "Beatbook sync",
            "version": f"{wire.PROTO}.{wire.SCHEMA}",
            "description": f"`{wire.SUBPROTOCOL}`: replicas of incidents, briefings and custody bookings that go on "
            "without the network, and what flows when it is back. The version is the protocol's, a dot, and that of "
            "the record kinds. docs/protocol.md tells what the messages mean and in which order they come; "
            "schemas/json/record-*.json what ops and rows of each kind hold.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "force": {
                "host": "{host}",
                "protocol": "wss",
                "description": "A force's server.",
                "variables": {
                    "host": {"description": "Name and, unless it is 443, port.", "default": "beatbook.example"}
                },
                "security": [{"$ref": "#/components/securitySchemes/hello"}],
            }
        },
        "channels": channels,
        "operations": _operations(channels),
        "components": {
            "messages": {tag_of(message): _message(message) for message in MESSAGES},
            "schemas": _schemas(),
            "securitySchemes": {"hello": _security()},
        },
    }
    # As a reader of JSON gets it: a default that is an empty tuple is an empty list there.
    plain: Schema = msgspec.json.decode(msgspec.json.encode(described_whole))
    return plain


def as_draft_07(schema: Schema) -> Schema:
    """A schema of `schemas.export` in AsyncAPI's format: same meaning, references into `components`.

    A position's schema in a list moves from `prefixItems` to `items`, and what was in `items` beside it to
    `additionalItems`. What stands beside a `$ref` goes around it, since there the reference hides it.
    """
    made: Schema = {}
    for key, part in schema.items():
        if key in ("$schema", "$id", "$defs"):
            continue
        if key == "properties":
            made[key] = {name: as_draft_07(each) for name, each in part.items()}
        elif key == "prefixItems":
            made["items"] = [as_draft_07(each) for each in part]
        elif key == "items" and "prefixItems" in schema:
            made["additionalItems"] = _inner(part)
        elif key == "$ref":
            made["$ref"] = _reference(part.rpartition("/")[2])
        elif key in _VALUES or key.startswith("x-"):
            made[key] = part
        else:
            made[key] = _inner(part)
    if "$ref" in made and len(made) > 1:
        return {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _inner(part: Any) -> Any:  # noqa: ANN401  what a keyword of JSON Schema holds has no type of its own
    match part:
        case dict():
            return as_draft_07(part)
        case list():
            return [_inner(each) for each in part]
        case _:
            return part


def _reference(name: str) -> str:
    return f"#/components/schemas/{name}"


def _schemas() -> Schema:
    """Every type that a message or one of its parts leans on, by name.

    Raises:
        ValueError: two different types share a name, so that one would hide the other.
    """
    found: Schema = {}
    documents = [(each, message_schema(each)) for each in MESSAGES] + [(each, part_schema(each)) for each in PARTS]
    for root, whole in documents:
        for name, schema in {**whole["$defs"], root.__name__: whole}.items():
            plain = as_draft_07(schema)
            if found.setdefault(name, plain) != plain:
                raise ValueError(f"{name} names two schemas: give one of the types another name")
    return dict(sorted(found.items()))


def _message(message: type[msgspec.Struct]) -> Schema:
    tag = tag_of(message)
    text = described(message)[0]
    told: Schema = {
        "name": tag,
        "title": message.__name__,
        "summary": f"{text.partition('. ')[0].removesuffix('.')}.",
        "description": text,
        "contentType": CONTENT_TYPE,
        "payload": {"$ref": _reference(message.__name__)},
    }
    if tag == "error":
        told["x-codes"] = {
            spec.code: {"close": spec.close, "recovery": spec.recovery.value, "meaning": spec.meaning}
            for spec in ERRORS.values()
            if spec.close is not None
        }
    return told


def _security() -> Schema:
    return {
        "type": "asymmetricEncryption",
        "description": "HELLO holds an Ed25519 signature (RFC 8032) by the device's enrolled key over the nonce of "
        "CHALLENGE and HELLO's body, and in that body the session token of the officer's sign-in. Nothing else is "
        "taken before it, and no header, cookie or query carries a secret.",
    }


def _connection() -> Schema:
    return {
        "address": PATH,
        "title": "The connection",
        "description": "One WebSocket from a device to the server: every message is one binary message.",
        "messages": {tag_of(message): _to_message(tag_of(message)) for message in MESSAGES},
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {"Sec-WebSocket-Protocol": {"type": "string", "const": wire.SUBPROTOCOL}},
                    "required": ["Sec-WebSocket-Protocol"],
                },
                "bindingVersion": "0.1.0",
            }
        },
        "x-lane": "control",
    }


def _scope_channels() -> Schema:
    """A channel for each family of scopes, and for what is addressed to one."""
    channels: Schema = {}
    for family, meaning in sorted(FAMILIES.items()):
        bare = family if family in ALONE else f"{family}:{_WITH_NAME}"
        audiences = [bare, f"{bare}:{MEDICAL}"] if family == "suite" else [bare]
        addresses = [
            address
            for audience in audiences
            for address in (audience, *(f"{audience}:{part}" for part in (BRIEFING, SAFETY, INBOX)))
        ]
        for address in addresses:
            channels[_key(address)] = _scope_channel(address, meaning)
    return channels


def _scope_channel(address: str, meaning: str) -> Schema:
    example = ScopeName(address.replace(_WITH_NAME, _EXAMPLE_NAME))
    channel: Schema = {
        "address": address,
        "title": f"Scopes `{address}`",
        "description": meaning,
        "messages": {tag: _to_message(tag) for tag in IN_A_SCOPE},
        "x-within": CONNECTION,
        "x-lane": lane(example).name.lower(),
        "x-lane-of-snapshots": snapshot_lane(example).name.lower(),
    }
    if _WITH_NAME in address:
        channel["parameters"] = {
            "name": {
                "description": "The name behind the family, as in the payload's `scope`.",
                "examples": [_EXAMPLE_NAME],
            }
        }
    return channel


def _key(address: str) -> str:
    """A channel's name: `area:{name}:briefing` is `area-briefing`."""
    return "-".join(part for part in address.split(":") if part != _WITH_NAME)


def _operations(channels: Iterable[str]) -> Schema:
    """What the server receives and sends; `connection` first, then its scopes."""
    operations: Schema = {}
    for message in MESSAGES:
        tag = tag_of(message)
        for action, there in (("receive", _UP), ("send", _DOWN)):
            if tag in there and not (action == "send" and tag in IN_A_SCOPE):
                operations[f"{action}-{tag}"] = _operation(action, CONNECTION, (tag,))
    for channel in channels:
        if channel != CONNECTION:
            operations[f"send-in-{channel}"] = _operation("send", channel, IN_A_SCOPE)
    return operations


def _operation(action: str, channel: str, tags: tuple[str, ...]) -> Schema:
    operation: Schema = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{tag}"} for tag in tags],
    }
    answers = ANSWERS.get(tags[0], ()) if channel == CONNECTION else ()
    if answers:
        operation["reply"] = {
            "channel": {"$ref": f"#/channels/{CONNECTION}"},
            "messages": [{"$ref": f"#/channels/{CONNECTION}/messages/{tag}"} for tag in answers],
        }
    return operation


def _to_message(tag: str) -> Schema:
    return {"$ref": f"#/components/messages/{tag}"}
