# SPDX-License-Identifier: Apache-2.0
"""A real Docker Engine, the demo's image, and a driver; Glance alone is stood in for."""

import hashlib
import io
import itertools
import json
import pathlib
import shutil
import tarfile
import typing
import uuid

import docker
import nova.conf
import pytest
from nova import context as nova_context
from nova import exception, objects, utils
from nova.tests.unit import fake_instance
from oslo_config import fixture as config_fixture

try:
    from nova.virt import node
except ImportError:  # Nova 26, whose resource tracker makes the uuid itself
    node = None

from build_scripts.images import build_docker_image
from novadocker import images
from novadocker.virt import docker as novadocker_driver
from tests.functional.novadocker import dockerd as engines
from tests.functional.novadocker import movers
from tests.support import container_images as archives

CONF = nova.conf.CONF


@pytest.fixture(scope="session")
def dockerd() -> typing.Iterator[engines.Dockerd]:
    """The engine of all these tests."""
    yield from engines.started()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The demo's Docker image."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    busybox = shutil.which("busybox", path="/bin:/usr/bin")
    assert busybox, "busybox is missing - run 'apt-get install busybox-static'"
    assert build_docker_image.main(["--output", str(path), "--busybox", busybox]) == 0
    return path.read_bytes()


class Glance:
    """What the driver sees of Glance; counts the downloads."""

    def __init__(self) -> None:
        self.images: dict[str, tuple[dict[str, typing.Any], bytes]] = {}
        self.downloads = 0

    def add(self, data: bytes, **changes: typing.Any) -> objects.ImageMeta:
        """Upload an image."""
        image = {
            "id": str(uuid.uuid4()),
            "container_format": "docker",
            "disk_format": "raw",
            "status": "active",
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(data).hexdigest(),
            "properties": {},
            **changes,
        }
        self.images[image["id"]] = (image, data)
        return objects.ImageMeta.from_dict(image)

    def get(self, context: object, image_id: str) -> dict[str, typing.Any]:
        if image_id not in self.images:
            raise exception.ImageNotFound(image_id=image_id)
        return self.images[image_id][0]

    def download(self, context: object, image_id: str, dest_path: str) -> None:
        self.downloads += 1
        pathlib.Path(dest_path).write_bytes(self.images[image_id][1])

    def create(
        self, context: object, metadata: dict[str, typing.Any], data: typing.Any
    ) -> dict[str, typing.Any]:
        image_id = metadata["id"]
        self.images[image_id] = ({"id": image_id, "properties": {}}, b"")
        return self.update(context, image_id, {"properties": {}, **metadata}, data, False)

    def empty(self) -> str:
        """Make an image without data, as Nova does before a snapshot; its id."""
        image_id = str(uuid.uuid4())
        self.images[image_id] = ({"id": image_id, "status": "queued", "properties": {}}, b"")
        return image_id

    def update(
        self,
        context: object,
        image_id: str,
        metadata: dict[str, typing.Any],
        data: typing.Any,
        purge_props: bool,
    ) -> dict[str, typing.Any]:
        image = self.get(context, image_id)
        content = b"".join(iter(lambda: data.read(1 << 20), b""))
        properties = {**image["properties"], **metadata["properties"]}
        digest = hashlib.sha512(content).hexdigest()
        image |= {"os_hash_algo": "sha512", "os_hash_value": digest, "size": len(content)}
        image |= {**metadata, "properties": properties, "status": "active"}
        self.images[image_id] = (image, content)
        return image

    def delete(self, context: object, image_id: str) -> None:
        self.get(context, image_id)
        del self.images[image_id]


@pytest.fixture
def config(tmp_path: pathlib.Path) -> typing.Iterator[typing.Callable[..., None]]:
    """Set options for the test."""
    objects.register_all()
    fixture = config_fixture.Config(CONF)
    fixture.setUp()
    CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    fixture.config(instances_path=str(tmp_path / "instances"), host="host1")
    fixture.config(start_timeout=0, api_timeout=30, stop_timeout=5, group="docker")
    yield fixture.config
    fixture.cleanUp()


@pytest.fixture
def glance(monkeypatch: pytest.MonkeyPatch) -> Glance:
    """Where images come from."""
    stand_in = Glance()
    monkeypatch.setattr(images, "IMAGE_API", stand_in)
    return stand_in


@pytest.fixture
def client(dockerd: engines.Dockerd) -> typing.Iterator[docker.DockerClient]:
    """The engine as an operator sees it; no container outlives a test."""
    client = dockerd.client()
    yield client
    client.close()
    dockerd.remove_containers()


@pytest.fixture
def driver(
    dockerd: engines.Dockerd,
    client: docker.DockerClient,
    config: typing.Callable[..., None],
    glance: Glance,
    monkeypatch: pytest.MonkeyPatch,
) -> novadocker_driver.DockerDriver:
    """The driver of a host."""
    config(host_url=dockerd.url, group="docker")
    if node is not None:
        monkeypatch.setattr(node, "LOCAL_NODE_UUID", str(uuid.uuid4()))
    driver = novadocker_driver.DockerDriver(None)
    driver.init_host("host1")
    return driver


@pytest.fixture
def image(archive: bytes, glance: Glance) -> typing.Callable[..., objects.ImageMeta]:
    """Upload the demo's image with another configuration."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = {member.name: opened.extractfile(member).read() for member in opened}
    config = json.loads(members[json.loads(members["manifest.json"])[0]["Config"]])

    def upload(
        change: dict[str, typing.Any], layers: typing.Sequence[bytes] = (), **top: typing.Any
    ) -> objects.ImageMeta:
        layers = layers or [members["layer.tar"]]
        config["rootfs"] = {"type": "layers", "diff_ids": [archives.digest(one) for one in layers]}
        config.update(top)
        config["config"].update(change)
        names = [f"layer{number}" for number in range(len(layers))]
        manifest = [{"Config": "c", "RepoTags": None, "Layers": names}]
        files = dict(zip(names, layers, strict=True))
        files["c"] = json.dumps(config).encode()
        return glance.add(archives.tar({**files, "manifest.json": json.dumps(manifest).encode()}))

    return upload


_NUMBER = itertools.count(1)


class Servers:
    """Makes instances and lets the driver run them."""

    def __init__(
        self,
        driver: novadocker_driver.DockerDriver,
        client: docker.DockerClient,
        glance: Glance,
        image: objects.ImageMeta,
    ) -> None:
        self.context = nova_context.get_admin_context()
        self.driver = driver
        self.client = client
        self.images = glance.images
        self.image = image

    def instance(self, **changes: typing.Any) -> objects.Instance:
        """An instance that has no container yet."""
        flavor = objects.Flavor(
            name="small", flavorid="small-id", memory_mb=64, vcpus=1, root_gb=1, ephemeral_gb=0,
            swap=0, extra_specs={},
        )  # fmt: skip
        number = next(_NUMBER)
        return fake_instance.fake_instance_obj(
            self.context,
            uuid=str(uuid.uuid4()),
            display_name=f"server {number}",
            hostname=f"server-{number}",
            flavor=flavor,
            image_ref=self.image.id,
            system_metadata=self.system_metadata(self.image),
            expected_attrs=["metadata", "system_metadata"],
            **changes,
        )

    def system_metadata(self, image: objects.ImageMeta) -> dict[str, str]:
        """What Nova keeps of an image with its instances."""
        stored = self.images[image.id][0]
        return typing.cast(dict[str, str], utils.get_system_metadata_from_image(stored))

    def spawn(
        self, instance: objects.Instance, image: typing.Any = None, **more: typing.Any
    ) -> None:
        """Have the driver make the container, with the calls that Nova makes."""
        self.driver.prepare_for_spawn(instance)
        arguments = {"network_info": [], "injected_files": [], **more}
        self.driver.spawn(
            self.context,
            instance,
            image or self.image,
            admin_password="unused",
            allocations={},
            **arguments,
        )

    def boot(self, **changes: typing.Any) -> objects.Instance:
        """An instance that runs."""
        instance = self.instance(**changes)
        self.spawn(instance)
        return instance

    def destroy(self, instance: objects.Instance) -> None:
        """Have the driver destroy it."""
        self.driver.destroy(self.context, instance, [])

    def container(self, instance: objects.Instance) -> typing.Any:
        """The container as an operator sees it."""
        return self.client.containers.get(f"nova-{instance.uuid}")

    def run(self, instance: objects.Instance, line: str) -> tuple[int, str]:
        """Run a line of shell in the container; exit status and output."""
        done = self.container(instance).exec_run(["sh", "-c", line])
        return done.exit_code, done.output.decode()


@pytest.fixture
def servers(
    driver: novadocker_driver.DockerDriver,
    client: docker.DockerClient,
    glance: Glance,
    archive: bytes,
) -> Servers:
    """Servers of the demo's image."""
    return Servers(driver, client, glance, glance.add(archive))


@pytest.fixture
def mover(
    servers: Servers,
    config: typing.Callable[..., None],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> movers.Mover:
    """What moves servers between two hosts."""
    return movers.Mover(servers, config, tmp_path, monkeypatch)
