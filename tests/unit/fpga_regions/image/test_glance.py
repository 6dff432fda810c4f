# SPDX-License-Identifier: Apache-2.0
"""Fetching an image over HTTP: what is checked, and what each failure says."""

import socket
import time
from pathlib import Path

import pytest
from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.image import cache, glance
from tests.support.openstack import OpenStack

DATA = b"a package " * 1000


@pytest.fixture
def glance_conf(tmp_path: Path, cloud: OpenStack) -> cfg.ConfigOpts:
    """The configuration that reaches the cloud."""
    return configured(tmp_path, cloud.options())


def configured(folder: Path, text: str, fetch_timeout: int = 30) -> cfg.ConfigOpts:
    file = folder / "glance.conf"
    file.write_text(
        f"[DEFAULT]\nfetch_timeout = {fetch_timeout}\nruntime_dir = {folder}/run\n{text}"
    )
    return options.load(str(file))


def fetch(conf: cfg.ConfigOpts, image_id: str, folder: Path, max_size: int = 1 << 20) -> bytes:
    """The image's data, through a cache."""
    fetched = glance.fetch(conf, image_id, cache.Cache(folder / "cache", 1 << 20), max_size)
    with fetched.file as file:
        return file.read()


def contents(folder: Path) -> list[str]:
    """Names of the files in the cache."""
    return [path.name for path in (folder / "cache").glob("*-*")]


def refusal(conf: cfg.ConfigOpts, image_id: str, folder: Path) -> str:
    """Why Glance has no such image for anybody."""
    return _failure(errors.ImageUnavailable, conf, image_id, folder)


def unknown(conf: cfg.ConfigOpts, image_id: str, folder: Path) -> str:
    """Why this host does not know whether Glance has it."""
    return _failure(errors.ImageServiceUnavailable, conf, image_id, folder)


def _failure(
    kind: type[errors.RegionError], conf: cfg.ConfigOpts, image_id: str, folder: Path
) -> str:
    with pytest.raises(kind) as caught:
        fetch(conf, image_id, folder)
    assert contents(folder) == []
    return caught.value.why


@pytest.mark.parametrize("versioned", [False, True])
def test_image_is_fetched_whether_or_not_the_catalogue_names_the_version(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, versioned: bool
) -> None:
    cloud.versioned = versioned
    assert fetch(glance_conf, cloud.add(DATA), tmp_path) == DATA


def test_second_fetch_downloads_nothing(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA)
    assert [fetch(glance_conf, image_id, tmp_path) for _ in range(2)] == [DATA, DATA]
    assert cloud.downloads == 1


def test_other_image_with_the_same_data_downloads_nothing(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    assert [fetch(glance_conf, cloud.add(DATA), tmp_path) for _ in range(2)] == [DATA, DATA]
    assert cloud.downloads == 1


def test_new_data_of_an_image_is_downloaded(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA)
    fetch(glance_conf, image_id, tmp_path)
    cloud.images[image_id].data = b"other"
    assert fetch(glance_conf, image_id, tmp_path) == b"other"


def test_deleted_image_is_not_had_from_the_cache(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA)
    fetch(glance_conf, image_id, tmp_path)
    del cloud.images[image_id]
    with pytest.raises(errors.ImageUnavailable, match="no such image"):
        fetch(glance_conf, image_id, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"status": "deactivated"}, "deactivated"), ({"container_format": "bare"}, "bare")],
)
def test_image_that_is_none_any_more_is_not_had_from_the_cache(
    glance_conf: cfg.ConfigOpts,
    cloud: OpenStack,
    tmp_path: Path,
    change: dict[str, str],
    words: str,
) -> None:
    image_id = cloud.add(DATA)
    fetch(glance_conf, image_id, tmp_path)
    vars(cloud.images[image_id]).update(change)
    with pytest.raises(errors.ImageUnavailable, match=words):
        fetch(glance_conf, image_id, tmp_path)


@pytest.mark.parametrize("status", [401, 403, 503])
def test_image_that_glance_does_not_show_is_not_had_from_the_cache(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, status: int
) -> None:
    image_id = cloud.add(DATA)
    fetch(glance_conf, image_id, tmp_path)
    cloud.answers["/v2/images"] = status
    with pytest.raises(errors.ImageServiceUnavailable):
        fetch(glance_conf, image_id, tmp_path)


@pytest.mark.parametrize("value", ["../../etc/passwd", "", "A" * 128, "0" * 64])
def test_digest_that_cannot_be_one_never_gets_into_a_path(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, value: str
) -> None:
    assert "no digest of it" in refusal(glance_conf, cloud.add(DATA, os_hash_value=value), tmp_path)


def test_unknown_image_is_reported(glance_conf: cfg.ConfigOpts, tmp_path: Path) -> None:
    why = refusal(glance_conf, "99999999-9999-4999-8999-999999999999", tmp_path)
    assert why.startswith("Glance has no such image")


@pytest.mark.parametrize(
    "image_id", ["../../v3/users", "lzo", "", "99999999999949998999999999999999"]
)
def test_what_is_no_uuid_is_never_asked_for(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, image_id: str
) -> None:
    assert "not the id of a Glance image" in refusal(glance_conf, image_id, tmp_path)
    assert cloud.requests == []


@pytest.mark.parametrize("held", ["docker", "bare", None])
def test_other_container_format_is_reported_and_not_downloaded(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, held: str | None
) -> None:
    why = refusal(glance_conf, cloud.add(DATA, container_format=held), tmp_path)
    assert why == f"its container format is {held}, not fpga: it is not a bitstream package"
    assert cloud.downloads == 0


def test_image_that_is_not_active_is_reported(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    why = refusal(glance_conf, cloud.add(DATA, status="queued"), tmp_path)
    assert why == "its status is queued, not active"


def test_data_of_another_digest_is_refused(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    why = refusal(glance_conf, cloud.add(DATA, os_hash_value="0" * 128), tmp_path)
    assert "do not have the digest that Glance has on record" in why


@pytest.mark.parametrize("algorithm", [None, "md5", "shake_128"])
def test_image_without_a_digest_to_trust_is_refused(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, algorithm: str | None
) -> None:
    why = refusal(glance_conf, cloud.add(DATA, os_hash_algo=algorithm), tmp_path)
    assert why.startswith("Glance has no digest of it")


def test_image_that_says_that_it_is_too_large_is_not_downloaded(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    with pytest.raises(errors.BadPackage, match="max_size"):
        fetch(glance_conf, cloud.add(DATA), tmp_path, len(DATA) - 1)
    assert cloud.downloads == 0


def test_image_that_is_larger_than_it_says_is_refused(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    with pytest.raises(errors.BadPackage, match="max_size"):
        fetch(glance_conf, cloud.add(DATA, size=10), tmp_path, len(DATA) - 1)


def test_slow_download_ends_in_time(tmp_path: Path, cloud: OpenStack) -> None:
    cloud.delay = 1.2
    conf = configured(tmp_path, cloud.options(), fetch_timeout=1)
    with pytest.raises(errors.TimedOut, match="fetch_timeout"):
        fetch(conf, cloud.add(DATA), tmp_path, 1 << 20)


def test_wrong_password_is_reported(tmp_path: Path, cloud: OpenStack) -> None:
    conf = configured(tmp_path, cloud.options(password="wrong"))
    assert "refused the credentials" in unknown(conf, cloud.add(DATA), tmp_path)


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "does not permit"), (500, "answered 500"), (503, "answered 503")],
)
@pytest.mark.parametrize("what", ["/file$", "/v2/images/", "/v3/auth/tokens"])
def test_answer_that_is_no_answer_to_the_question_leaves_it_open(
    glance_conf: cfg.ConfigOpts,
    cloud: OpenStack,
    tmp_path: Path,
    what: str,
    status: int,
    words: str,
) -> None:
    cloud.answers[what] = status
    assert words in unknown(glance_conf, cloud.add(DATA), tmp_path)


def test_data_that_glance_lost_is_reported(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    cloud.answers["/file$"] = 410
    assert "upload it again" in refusal(glance_conf, cloud.add(DATA), tmp_path)


@pytest.mark.parametrize("what", ["/v2/", "/v3/auth/tokens"])
def test_not_found_by_another_service_leaves_it_open(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, what: str
) -> None:
    cloud.answers[what] = 404
    assert "another service" in unknown(glance_conf, cloud.add(DATA), tmp_path)


def test_download_that_breaks_off_leaves_it_open(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA, size=len(DATA) + 1)
    assert "ended after" in unknown(glance_conf, image_id, tmp_path)


def test_data_that_cannot_be_stored_here_leaves_it_open(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the folder would be")
    with pytest.raises(errors.ImageServiceUnavailable, match="stored on this host"):
        fetch(glance_conf, cloud.add(DATA), tmp_path)


def test_service_that_is_busy_for_a_moment_is_asked_again(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: cloud.answers.clear())
    cloud.answers["/v2/images/"] = 503
    assert fetch(glance_conf, cloud.add(DATA), tmp_path) == DATA


def test_service_that_is_down_is_reported(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA)
    cloud.stop()
    assert "cannot be reached: Connection refused" in unknown(glance_conf, image_id, tmp_path)


def test_silent_service_ends_in_time(tmp_path: Path, cloud: OpenStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        conf = configured(tmp_path, cloud.options(timeout="1", endpoint_override=url))
        assert "cannot be reached" in unknown(conf, cloud.add(DATA), tmp_path)


def test_something_else_than_glance_is_reported(
    glance_conf: cfg.ConfigOpts, cloud: OpenStack, tmp_path: Path
) -> None:
    image_id = cloud.add(DATA)
    cloud.images[image_id].id = "another"
    assert "is not Glance" in unknown(glance_conf, image_id, tmp_path)


def test_missing_configuration_is_reported(tmp_path: Path) -> None:
    conf = configured(tmp_path, "")
    why = unknown(conf, "99999999-9999-4999-8999-999999999999", tmp_path)
    assert "how to reach Glance is not configured" in why
