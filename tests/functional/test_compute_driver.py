# SPDX-License-Identifier: Apache-2.0
"""Which classes ``compute_driver`` may name."""

from nova import test
from nova.virt import driver, fake

from tests.functional import recorder


class ComputeDriver(test.NoDBTestCase):
    """load_compute_driver on a patched Nova."""

    def _load(self, name):
        return type(driver.load_compute_driver(None, name))

    def _clear_attrs(self):
        method = self.__dict__.get(self._testMethodName)
        super()._clear_attrs()
        if method is not None:
            self.__dict__[self._testMethodName] = method

    def test_name_below_nova_virt_still_works(self):
        self.assertIs(fake.FakeDriver, self._load("fake.FakeDriver"))

    def test_full_path_outside_nova_works(self):
        path = "tests.functional.recorder.RecordingDriver"
        self.assertIs(recorder.RecordingDriver, self._load(path))

    def test_full_path_inside_nova_works(self):
        self.assertIs(fake.SmallFakeDriver, self._load("nova.virt.fake.SmallFakeDriver"))

    def test_class_that_is_no_driver_ends_the_service(self):
        self.assertRaises(SystemExit, self._load, "tests.functional.recorder.NoDriver")

    def test_class_that_is_nowhere_ends_the_service(self):
        self.assertRaises(SystemExit, self._load, "docker.NoSuchDriver")
