# SPDX-License-Identifier: Apache-2.0
"""Checks of a host with nova-scheduler and nova-api, and of the Placement beside them."""

from oslo_config import cfg

from fpga_patch.doctor import entry_points
from fpga_patch.doctor.finding import Finding
from fpga_patch.doctor.settings import ALL_FILTERS, DROP_IN, FPGA_FILTER, Settings

_RETRIES = "allocation_conflict_retry_count"


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


def placement(settings: Settings) -> list[Finding]:
    """Placement must not retry allocations itself: then it gives more regions than there are."""
    file = settings.etc.parent / "placement" / "placement.conf"
    line = f"{_RETRIES} = 1"
    elsewhere = f"have {line} in [placement] where Placement runs"
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.IntOpt(_RETRIES, default=10), group="placement")
    folder = file.with_suffix(".conf.d")
    folders = [str(folder)] if folder.is_dir() else []
    try:
        conf(
            args=[],
            project="placement",
            default_config_files=[str(file)],
            default_config_dirs=folders,
        )
        retries = conf.placement[_RETRIES]
    except (cfg.Error, OSError) as e:
        return [Finding("placement", "skipped", f"{file} cannot be read ({e}): {elsewhere}")]
    if retries == 1:
        return [Finding("placement", "ok", f"{file}: {line}")]
    text = f"{_RETRIES} is {retries}: Placement gives more regions than there are under load"
    return [Finding("placement", "warning", text, f"{file}, [placement]: {line}")]
