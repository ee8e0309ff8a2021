"""`judge`: a rule that asks who wrote what is asked inside one reading."""

from pathlib import Path

from schemas.ids import FieldName, RecordId
from sync.device import DeviceIdentity
from tests.sync.device.support import VirtualClock, incident, opened

ELSEWHERE = RecordId("01890a5d-ac96-774b-bcce-b302099a8057")


async def test_a_rule_is_given_the_record_with_its_stamps(tmp_path: Path, identity: DeviceIdentity) -> None:
    """Own changes that the server does not hold yet included, and the settings; of no record it is not asked."""
    async with await opened(tmp_path / "one", identity, clock=VirtualClock()) as handheld:
        made = await handheld.create(incident())
        written = await handheld.edit(made.record, summary="Shed door forced")
        told = await handheld.judge(
            made.record,
            lambda state, settings: (state.cells[FieldName("summary")].stamps(), settings.incidents.repeat_months),
        )
        assert told is not None
        stamps, months = told
        assert [stamp.op for stamp in stamps] == [written.op]
        assert months == (await handheld.settings()).incidents.repeat_months
        assert await handheld.judge(ELSEWHERE, lambda _state, _settings: True) is None
