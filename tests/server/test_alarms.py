"""Alarms in the journal: what they are kept under, and what they say."""

import msgspec

from schemas.ids import DeviceId, Millis, OpNumber
from server import alarms
from server.alarms import CHAIN_DIFFERS, Alarm
from server.logbook import ALARM

ONE = Alarm(CHAIN_DIFFERS, DeviceId("hh-1"), "in words", Millis(1_700_000_000_000))


def test_an_alarm_says_what_and_of_whom() -> None:
    """It is an entry of the journal, and so of the log; at another moment it is another."""
    entry = alarms.entry(ONE)
    assert entry.what == ALARM
    assert msgspec.msgpack.decode(entry.body, type=Alarm) == ONE
    assert alarms.entry(msgspec.structs.replace(ONE, at=Millis(ONE.at + 1))).id != entry.id


def test_an_alarm_about_a_chain_is_one_for_each_place_of_it() -> None:
    """Whenever it is raised; and never the one that a moment has."""
    later = msgspec.structs.replace(ONE, at=Millis(ONE.at + 1))
    entry = alarms.entry_on_chain(ONE, OpNumber(7))
    assert msgspec.msgpack.decode(entry.body, type=Alarm) == ONE
    assert alarms.entry_on_chain(later, OpNumber(7)).id == entry.id
    assert alarms.entry_on_chain(ONE, OpNumber(8)).id != entry.id
    assert alarms.entry_on_chain(ONE, OpNumber(ONE.at)).id != alarms.entry(ONE).id
