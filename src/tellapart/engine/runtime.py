"""OpenVINO, imported so that it tells nobody.

`import openvino` sends an event to Google Analytics, from a process that it forks, with a number by which the machine
is known again, and leaves that number in ~/intel. There is no switch for one program alone, but where the package that
sends is missing, OpenVINO takes a stub. So it is missing while OpenVINO is imported. Whoever imported OpenVINO before
us has decided for themselves.
"""

import sys

TELEMETRY = "openvino_telemetry"

_before = sys.modules.get(TELEMETRY)
sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # how Python marks what cannot be imported

import openvino  # noqa: E402

if _before is None:
    del sys.modules[TELEMETRY]
else:
    sys.modules[TELEMETRY] = _before

__all__ = ["openvino"]
