# SPDX-License-Identifier: Apache-2.0
"""Checks of a host with nova-scheduler and nova-api."""

from fpga_patch.doctor import entry_points
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import ALL_FILTERS, DROP_IN, FPGA_FILTER, Settings


def filters(settings: Settings) -> list[Finding]:
    """FpgaFilter must be available and enabled."""
    found = []
    available = settings.conf.filter_scheduler.available_filters
    if FPGA_FILTER not in available:
        lines = [f"available_filters = {name}" for name in (*available, FPGA_FILTER)]
        text = "the scheduler does not know FpgaFilter"
        found.append(_missing(settings, text, "available_filters", "; ".join(lines)))
    elif ALL_FILTERS not in available:
        text = f"available_filters has no {ALL_FILTERS}: Nova's own filters are not available"
        found.append(Finding("filters", "warning", text))
    enabled = settings.enabled_filters()
    if "FpgaFilter" not in enabled:
        line = f"enabled_filters = {','.join([*enabled, 'FpgaFilter'])}"
        text = "FpgaFilter is not enabled"
        found.append(_missing(settings, text, "enabled_filters", line))
    return found or [Finding("filters", "ok", "FpgaFilter is enabled")]


def _missing(settings: Settings, text: str, option: str, line: str) -> Finding:
    file = settings.where(option, "filter_scheduler") or settings.etc / DROP_IN
    return Finding("filters", "missing", text, f"{file}, [filter_scheduler]: {line}")


def extra_specs(settings: Settings) -> list[Finding]:
    """nova-api must find the validator of hw:fpga_ip_id."""
    return entry_points.loadable(
        settings, "extra specs", "nova.api.extra_spec_validators", ["fpga"]
    )
