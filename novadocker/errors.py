# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Nova and the Docker Engine, as Nova's exceptions."""

from nova import exception


class EngineUnavailable(exception.HypervisorUnavailable):  # type: ignore[misc]
    """The engine cannot be asked; whether it did what was asked last is not known.

    :param url: where it should listen
    :param cause: what the connection said
    """

    def __init__(self, url: str, cause: BaseException) -> None:
        reason = " ".join(str(cause).split())
        what = "does not answer"
        advice = "start it (systemctl start docker), or correct [docker] host_url in nova.conf"
        if any(word in reason for word in ("TLS", "SSL", "certificate")):
            what = "cannot be reached with TLS"
            advice = "see that ca_file, cert_file and key_file in [docker] fit the engine's own"
        elif "Permission denied" in reason:
            what = "cannot be reached by nova-compute"
            advice = "permit it: add the user of nova-compute to the group of the socket"
        elif "timed out" in reason:
            what = "does not answer in time"
            advice = "see its log, and restart it if it hangs; or raise [docker] api_timeout"
        super().__init__(f"Docker Engine at {url} {what} - {advice} ({reason})")


class EngineRefused(exception.NovaException):  # type: ignore[misc]
    """The engine answered that it does not do what it was asked.

    :param what: what it was asked
    :param reason: what it said
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"Docker Engine did not {what}: {reason}")


#: The engine was asked in vain, so that nothing is known.
NO_ANSWER = (EngineUnavailable, EngineRefused)


class NoContainer(exception.NovaException):  # type: ignore[misc]
    """The engine has no container of the instance: somebody removed it behind Nova's back.

    It is no InstanceNotFound. Nova reads that as "the user deleted it meanwhile" and stops amid
    what it does, with the task_state set for good.

    :param uuid: the instance
    """

    def __init__(self, uuid: str) -> None:
        super().__init__(
            f"Instance {uuid} has no container any more - hard reboot the server, which makes it "
            "anew from its image"
        )


class BadImage(exception.ImageUnacceptable):  # type: ignore[misc]
    """No container can be made of this image, on any host.

    :param image_id: the image in Glance
    :param reason: why, and what to do
    """

    def __init__(self, image_id: str, reason: str) -> None:
        super().__init__(image_id=image_id, reason=reason)


class ImageNotReady(exception.NovaException):  # type: ignore[misc]
    """This host did not get an image ready; another one, or a later try, may.

    :param image_id: the image in Glance
    :param reason: why, and what to do
    """

    def __init__(self, image_id: str, reason: str) -> None:
        super().__init__(f"Image {image_id} is not ready on this host: {reason}")


class NoSnapshot(exception.NovaException):  # type: ignore[misc]
    """No image was made of a container, which is as it was.

    :param reason: why, and what to do
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"No snapshot was taken: {reason}")
        self.reason = reason


class NoLiveImage(exception.NovaException):  # type: ignore[misc]
    """The root program for live images did not do what it was asked for.

    :param reason: why, and what to do
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Live image: {reason}")
        self.reason = reason


class LiveTimedOut(NoLiveImage):
    """The root program for live images did not end in time, and may go on."""


class NotSuspended(exception.NovaException):  # type: ignore[misc]
    """A container was not suspended, and goes on.

    :param reason: why, and what to do
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The server was not suspended: {reason}")
        self.reason = reason


class NotResumed(exception.NovaException):  # type: ignore[misc]
    """A container was not restored from its dump.

    :param reason: why, and what to do
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The server was not resumed: {reason}")


class NotShelved(exception.NovaException):  # type: ignore[misc]
    """A container that was to be shelved with its memory was not.

    :param reason: why
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The server was not shelved: {reason} - a server that is stopped first is shelved "
            "without its memory"
        )


class NotMoved(exception.NovaException):  # type: ignore[misc]
    """A container did not move to its new host or size.

    :param reason: why, and what to do
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The server was not moved: {reason}")


class NotServed(exception.BuildAbortException):  # type: ignore[misc]
    """The user asks for something that containers do not have here; no other host has it either.

    :param instance_uuid: the server
    :param reason: what it is, and what to do
    """

    def __init__(self, instance_uuid: str, reason: str) -> None:
        super().__init__(instance_uuid=instance_uuid, reason=reason)


class ActionNotServed(exception.NovaException):  # type: ignore[misc]
    """The user asks for an action on a server that containers do not have here.

    :param action: a noun, such as "rescue"
    """

    def __init__(self, action: str) -> None:
        super().__init__(f"Containers have no {action} - the server was not changed")


class BadDevice(exception.InstanceDeployFailure):  # type: ignore[misc]
    """A device that the container should get is not there, or is not what it should be.

    :param reason: which one and why
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class PlugFailed(exception.NovaException):  # type: ignore[misc]
    """A port of an instance was not connected to its container, or not taken off.

    :param reason: which port and why
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Network: {reason}")


class PlugNotReported(PlugFailed):
    """Neutron does not say in time that it has finished a port."""
