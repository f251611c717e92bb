"""The emulated board's firmware, for where there is no real one."""

from tests.emulator.conftest import emulator, firmware, frozen_firmware  # noqa: F401
