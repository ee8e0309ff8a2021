"""A small invented force as files, for tests that change one line of it and look what follows."""

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).resolve().parents[3] / "deploy/west-midlands/force.toml"
FORCE: Final = """\
[force]
name = "marches"
title = "Marches Police"

[tables]
officers = "officers.csv"
roles = "roles.csv"
postings = "postings.csv"
members = "members.csv"
rota = "rota.csv"
cells = "cells.csv"

[[area]]
name = "dudley"
title = "Dudley"
from = 2023-01-01
commander = "WM1"
commander_from = 2023-02-01

[[area]]
name = "walsall"
title = "Walsall"
from = 2023-01-01

[[team]]
name = "dudley-response"
title = "Dudley Response"
area = "dudley"
from = 2023-01-01

[[suite]]
name = "dudley"
title = "Dudley suite"
area = "dudley"
from = 2023-03-01

[[mission]]
name = "castle"
title = "Operation Castle"
from = 2023-05-01

[[shift]]
name = "night"
from = "22:00"
until = 07:00:00
"""
TABLES: Final = {
    "officers.csv": "collar,name,from,until\nWM1,Nell Fernley,2023-01-01,\nWM2,Ivo Rowan,2023-01-01,\n",
    "roles.csv": "collar,role,unit,from,until\nWM2,supervisor,,2023-01-01,\n",
    "postings.csv": "collar,unit,from,until\nWM2,dudley-response,2023-01-01,\n",
    "members.csv": "collar,mission,decides,from,until\nWM2,castle,yes,2023-05-01,2023-06-01\n",
    "rota.csv": "collar,shift,date,unit\nWM2,night,2023-07-10,\n",
    "cells.csv": "suite,cell,note\ndudley,A1,with camera\ndudley,A2,\n",
}


def write(folder: Path, force: str = FORCE, **tables: str) -> Path:
    """Write the force; a table that is given by its name without `.csv` stands for the one above."""
    folder.mkdir(exist_ok=True)
    for name, text in {**TABLES, **{f"{name}.csv": text for name, text in tables.items()}}.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "force.toml"
    path.write_text(force, encoding="utf-8")
    return path


def also(table: str, *rows: str) -> str:
    """A table with rows behind those above."""
    return TABLES[f"{table}.csv"] + "".join(f"{row}\n" for row in rows)
