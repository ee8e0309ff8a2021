"""The Hypothesis profiles; the rest of what every test runs under is in pyproject.toml.

There a warning is an error, and a test fails after 20 seconds. ``HYPOTHESIS_PROFILE=soak`` looks for rare
interleavings (``make soak``); with ``CI`` set the examples are the same in every run.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    max_examples=50,
    # The 20 s limit bounds the whole test; a limit per example would measure the machine.
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.register_profile("soak", settings.get_profile("default"), max_examples=10_000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
