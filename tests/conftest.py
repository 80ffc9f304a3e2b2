"""Settings for all tests. This folder is on the import path, so that tests can import `oracle` and `strategies`."""

from hypothesis import settings

settings.register_profile("qsim", deadline=None, max_examples=50, print_blob=True)
settings.load_profile("qsim")
