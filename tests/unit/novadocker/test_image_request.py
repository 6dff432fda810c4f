# SPDX-License-Identifier: Apache-2.0
"""What an image may ask of its containers."""

import posixpath
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadocker import errors, image_request


def _instance(metadata=None, **properties):
    return types.SimpleNamespace(
        uuid="11111111-2222-3333-4444-555555555555",
        image_ref="i",
        metadata=metadata or {},
        system_metadata={f"image_{name}": value for name, value in properties.items()},
    )


def test_an_image_that_asks_for_nothing_gets_nothing():
    request = image_request.of(_instance({"PATH": "/x", "A": "b"}))
    assert request == image_request.ImageRequest({}, None, False)


def test_the_metadata_that_an_image_names_is_environment():
    instance = _instance({"MODE": "fast", "OTHER": "x"}, docker_environment="MODE, LEVEL,")
    assert image_request.of(instance).environment == {"MODE": "fast"}


@pytest.mark.parametrize(
    "name",
    ["PATH", "LD_PRELOAD", "ld_library_path", "NVIDIA_VISIBLE_DEVICES", "XILINX_x", "DOCKER_HOST"],
)
def test_no_metadata_sets_a_reserved_variable(name):
    with pytest.raises(errors.BadImage, match=f"'{name}', which no metadata may set"):
        image_request.of(_instance({name: "x"}, docker_environment=name))


@pytest.mark.parametrize("name", ["A=B", "--privileged", "1A", "A B", "A\nB", "../A", "Ä", "A\0"])
def test_a_name_of_another_form_is_refused(name):
    with pytest.raises(errors.BadImage, match="needs names of variables"):
        image_request.of(_instance(docker_environment=f"MODE,{name}"))


@pytest.mark.parametrize("value", ["a\nPATH=/x", "a\0b", "\x1b[2J", "a\r"])
def test_a_value_with_a_line_break_is_refused(value):
    with pytest.raises(errors.NotServed, match="'MODE' has a line break"):
        image_request.of(_instance({"MODE": value}, docker_environment="MODE"))


@pytest.mark.parametrize("name", ["docker_environment", "docker_authorized_keys"])
def test_a_property_that_nova_may_have_cut_is_refused(name):
    with pytest.raises(errors.BadImage, match="longer than 251 bytes"):
        image_request.of(_instance(**{name: "/home/" + "a" * 249}))


@pytest.mark.parametrize("path", ["/root/.ssh/authorized_keys", "/etc/ssh/keys/a b"])
def test_the_file_for_the_key_is_the_images_own(path):
    assert image_request.of(_instance(docker_authorized_keys=path)).authorized_keys == path


@pytest.mark.parametrize(
    "path",
    [
        "/root/../../etc/passwd",
        "root/.ssh/authorized_keys",
        "/",
        "/keys",
        "//root/keys",
        "/root/.ssh/",
        "/root//keys",
        "/proc/self/root/keys",
        "/dev/shm/keys",
        "/run/openstack/keys",
        "/sys/a/b",
        "/root/a\nb",
    ],
)
def test_another_path_is_refused(path):
    with pytest.raises(errors.BadImage, match="needs the absolute path of a file"):
        image_request.of(_instance(docker_authorized_keys=path))


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("False", False), ("", False)])
def test_an_image_may_do_without_a_root_that_it_can_write(text, expected):
    assert image_request.of(_instance(docker_read_only=text)).read_only is expected


def test_a_truth_that_is_neither_is_refused():
    with pytest.raises(errors.BadImage, match="docker_read_only is 'perhaps', needs true or false"):
        image_request.of(_instance(docker_read_only="perhaps"))


def test_a_key_has_no_place_on_a_root_that_cannot_be_written():
    instance = _instance(docker_read_only="true", docker_authorized_keys="/root/.ssh/keys")
    with pytest.raises(errors.BadImage, match="together with docker_read_only"):
        image_request.of(instance)


@given(st.text(st.sampled_from("/.a~\n:\0é,"), max_size=60))
def test_a_path_that_is_taken_is_plain(path):
    try:
        taken = image_request.authorized_keys_path(_instance(docker_authorized_keys=path))
    except errors.BadImage:
        return
    assert taken is None or (posixpath.normpath(taken) == taken and ".." not in taken.split("/"))


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_taken_into_the_environment_is_one_variable(names, value):
    instance = _instance(dict.fromkeys(names.split(","), value), docker_environment=names)
    try:
        environment = image_request.of(instance).environment
    except (errors.BadImage, errors.NotServed):
        return
    for name, text in environment.items():
        assert name.isidentifier()
        assert name.isascii()
        assert name.upper() != "PATH"
        assert "\n" not in text
        assert "\0" not in text
