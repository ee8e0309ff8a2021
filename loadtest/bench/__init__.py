"""The benchmark harness: `python -m loadtest.bench JOB --json FILE`.

Server and load are separate processes on separate cores, every job has a warm-up and several rounds, and with each
result stands what the machine can do at all in the same run (`floor`), so that a number is also a ratio. Durability,
encryption at rest, identity and evidence are on, as shipped. `jobs` holds what is measured, one module a job.
"""
