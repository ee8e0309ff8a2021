"""The jobs: one module for each. A job has a `Size` (what may be chosen), `WORDS` for its figures, and `measure`."""
