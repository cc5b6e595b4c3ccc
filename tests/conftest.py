"""Settings that all tests share."""

from hypothesis import settings

# A time limit for one example fails by chance on a busy machine; pytest-timeout ends a test that hangs.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
