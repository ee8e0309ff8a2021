"""A handheld in a terminal, on the same engine as any application: typed commands in, records and messages out.

`commands` (what can be typed), `values` (fields in words) and `acting` (the commands that write) know no screen;
`rendering` turns records into text, `disputes` what people differ about and claims, for a `reader`;
`sight` knows what the officer looks at, `events` tells what happens. `editor`, `source` and `screens` are the keyboard
and the paper; `terminal` brings them together, and `handset` opens and closes everything. No rule of merging or
syncing lives here.
"""

from sync.device.terminal.handset import run_handset
from sync.device.terminal.seats import Settings, Shown

__all__ = ["Settings", "Shown", "run_handset"]
