# SPDX-License-Identifier: Apache-2.0
"""Records of carriers, and the user who owns them in Glance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1 import loading
from nova import context, exception

from novadocker import carriers, errors
from novadocker.carriers import Carrier
from novadocker.virt import moves

INSTANCE = "0a1b2c3d-0000-0000-0000-000000000001"
ID = "0a1b2c3d-0000-0000-0000-000000000002"

CARRIERS = st.builds(
    Carrier,
    image_id=st.text(),
    name=st.text(),
    command=st.none() | st.lists(st.text()),
    arrived=st.booleans(),
    confirmed=st.booleans(),
)


class Glance:
    """Notes whom it is asked by."""

    def __init__(self, failure=None):
        self.failure, self.deleted = failure, []

    def delete(self, asker, image_id):
        self.deleted.append((asker, image_id))
        if self.failure:
            raise self.failure


@pytest.fixture
def folder(config, tmp_path):
    """Where the records are."""
    return tmp_path / "instances"


@pytest.fixture
def glance(folder, monkeypatch):
    """What carriers are deleted from."""
    found = Glance()
    monkeypatch.setattr(carriers.images, "IMAGE_API", found)
    return found


@given(carrier=CARRIERS)
def test_the_other_host_gets_what_was_sent(carrier):
    assert Carrier.parse(carrier.text) == carrier


@pytest.mark.parametrize(
    "carrier", [Carrier(ID), Carrier(ID, "fpga-nova/i:d", arrived=True), Carrier("")]
)
def test_nothing_is_made_of_a_carrier_that_is_not_there_or_has_arrived(carrier, folder):
    carriers.record(INSTANCE, carrier)
    assert carriers.expected(INSTANCE) is None


def test_a_container_is_still_to_be_made_of_one_that_was_sent(folder):
    carriers.record(INSTANCE, Carrier(ID, "fpga-nova/i:d"))
    assert carriers.expected(INSTANCE) == Carrier(ID, "fpga-nova/i:d")
    carriers.note_arrival(INSTANCE)
    assert carriers.expected(INSTANCE) is None


@pytest.mark.parametrize("text", ["", "[]", '{"other": 1}', "{"])
def test_a_record_that_cannot_be_read_is_none(folder, text):
    carriers.record(INSTANCE, Carrier(ID))
    (folder / INSTANCE / "move").write_text(text)
    assert carriers.recorded(INSTANCE) is None


def test_whoever_asks_deletes_a_carrier_where_nova_has_no_user(glance):
    asker = context.RequestContext("user", "project", is_admin=False)
    carriers.record(INSTANCE, Carrier(ID, "fpga-nova/i:d"))
    carriers.discard(None, INSTANCE, asker)
    assert glance.deleted == [(asker, ID)]
    assert carriers.uuids() == []


def test_the_user_of_nova_deletes_a_carrier(glance, monkeypatch):
    plugin = object()
    load = {"service_user": plugin}.get
    monkeypatch.setattr(loading, "load_auth_from_conf_options", lambda _, group: load(group))
    carriers.record(INSTANCE, Carrier(ID, "fpga-nova/i:d"))
    carriers.discard(None, INSTANCE, None)
    ((user, _),) = glance.deleted
    assert user.get_auth_plugin() is plugin
    assert user.project_id is None


def test_the_record_of_a_carrier_goes_with_it(glance):
    glance.failure = exception.ImageNotFound(image_id=ID)
    carriers.record(INSTANCE, Carrier(ID, "fpga-nova/i:d"))
    carriers.discard(None, INSTANCE, context.get_admin_context())
    assert carriers.uuids() == []


def test_the_record_of_a_carrier_that_is_not_deleted_stays(glance):
    glance.failure = OSError("no connection")
    carriers.record(INSTANCE, Carrier(ID, "fpga-nova/i:d"))
    carriers.discard(None, INSTANCE, context.get_admin_context())
    assert carriers.uuids() == [INSTANCE]


def test_a_confirmation_without_a_carrier_asks_glance_for_nothing(glance):
    carriers.note_confirmation(INSTANCE)
    assert carriers.recorded(INSTANCE).confirmed
    carriers.discard(None, INSTANCE, None)
    assert glance.deleted == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.NotMoved("why"), "The server was not moved: why"),
        (errors.NoSnapshot("why"), "The server was not moved: why"),
        (exception.NovaException("why"), "The server was not moved: why"),
        (OSError("why"), "The server was not moved: why"),
    ],
)
def test_the_reason_of_a_refusal_is_there_once(error, text):
    assert str(moves._refused(error).inner_exception) == text
