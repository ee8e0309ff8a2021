"""How a running server is watched: figures for Prometheus, logs that a machine can read, and traces.

What does the work counts in plain numbers (`counting`, `measures`); they are read when somebody scrapes, and nothing
here is waited for on the way of an op. Nothing of a record's content, and no name or number of a person or a device,
comes into a figure, a log line or a span. Alerts and the dashboard over the figures lie in `deploy/`.
"""
