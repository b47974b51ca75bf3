import hypothesis

pytest_plugins = ["mainspring_testkit.fixtures"]

# A slow machine is no finding, and neither is a test that draws much: both differ from run to run.
hypothesis.settings.register_profile("mainspring", deadline=None)
hypothesis.settings.load_profile("mainspring")
