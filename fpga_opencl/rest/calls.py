# SPDX-License-Identifier: Apache-2.0
"""The table of calls: the original's resources and actions, and what each does here."""

import dataclasses
import re
import typing

from fpga_opencl.client import Session
from fpga_opencl.rest import handlers, schemas
from fpga_opencl.rest.answers import Document, Refusal
from fpga_opencl.rest.handlers import Run

_PATH = re.compile(r"/([a-z-]{1,40})(?:/([0-9]{1,20}))?(?:/([a-z]{1,40}))?")


@dataclasses.dataclass(frozen=True)
class Call:
    """One call.

    :ivar resource: of the client library
    :ivar name: of the client's function
    :ivar method: of HTTP
    :ivar numbered: whether the path has the number of an object
    :ivar action: the end of the path; none of `list`, `show` and `create`
    :ivar schema: of the body; None if the call has none
    :ivar check: that it is so
    """

    resource: str
    name: str
    method: str
    numbered: bool
    action: str
    schema: schemas.Schema | None
    run: Run
    check: schemas.Check

    @property
    def id(self) -> str:
        """Its name among all calls."""
        return f"{self.resource}.{self.name}"

    @property
    def path(self) -> str:
        """The path after the session, with NUMBER where that of an object is."""
        parts = [f"os-opencl{self.resource}", "NUMBER" if self.numbered else "", self.action]
        return "/".join(["", *filter(None, parts)])

    def __call__(self, session: Session, number: int, body: typing.Any) -> Document:
        """Do it.

        :raises Refusal: the body is something else, or no object has the number
        :raises OpenCLError: OpenCL refuses
        """
        document = {} if body is None else body
        self.check(document)
        if self.numbered and self.resource != "events":
            objects = getattr(session, self.resource)
            if number not in objects.list():
                raise Refusal(404, f"the session has none of the {self.resource} {number}")
        return self.run(session, number, document)


def _call(
    resource: str,
    name: str,
    run: Run,
    schema: schemas.Schema | None = None,
    action: str = "",
) -> Call:
    numbered = bool(action) or name == "show"
    method = "POST" if action or schema is not None else "GET"
    check = schemas.Check(schema or schemas.EMPTY)
    return Call(resource, name, method, numbered, action, schema, run, check)


def _shown(resource: str, plural: str) -> list[Call]:
    return [
        _call(resource, "list", handlers.listing(resource, plural)),
        _call(resource, "show", handlers.show(resource, plural.removesuffix("s"))),
    ]


def _counted(resource: str, plural: str, run: Run, schema: schemas.Schema) -> list[Call]:
    """The five calls of a resource whose objects are made and released."""
    names = ("retain", "release")
    return [
        *_shown(resource, plural),
        _call(resource, "create", run, schema),
        *(_call(resource, name, handlers.counting(resource, name), action=name) for name in names),
    ]


#: The original's, in the order of its list.
CALLS = (
    *_shown("devices", "Devices"),
    *_counted("contexts", "Contexts", handlers.create_context, schemas.CREATE_CONTEXT),
    *_counted("buffers", "Buffers", handlers.create_buffer, schemas.CREATE_BUFFER),
    *_counted("programs", "Programs", handlers.create_program, schemas.CREATE_PROGRAM),
    _call("programs", "build", handlers.build, schemas.BUILD, "build"),
    _call("programs", "buildinfo", handlers.buildinfo, schemas.BUILD_INFO, "buildinfo"),
    *_counted("kernels", "Kernels", handlers.create_kernel, schemas.CREATE_KERNEL),
    _call("kernels", "setkernelarg", handlers.setkernelarg, schemas.SET_ARGUMENT, "setkernelarg"),
    *_counted("queues", "Queues", handlers.create_queue, schemas.CREATE_QUEUE),
    _call("queues", "enqueue_read", handlers.read, schemas.READ, "enqueuereadbuffer"),
    _call("queues", "enqueue_write", handlers.write, schemas.WRITE, "enqueuewritebuffer"),
    _call("queues", "enqueue_copy", handlers.copy, schemas.COPY, "enqueuecopybuffer"),
    _call("queues", "enqueue_ndrange", handlers.ndrange, schemas.NDRANGE, "enqueuendrangekernel"),
    _call("queues", "enqueue_task", handlers.task, schemas.TASK, "enqueuetask"),
    _call("queues", "enqueue_barrier", handlers.barrier, schemas.BARRIER, "enqueuebarrier"),
    _call("queues", "finish", handlers.finish, action="finish"),
)
#: Ours: the original's commands took events and ignored them.
EVENTS = (
    _call("events", "show", handlers.show_event),
    _call("events", "release", handlers.release_event, action="release"),
)
_BY_PATH: dict[tuple[str, bool, str], list[Call]] = {}
for _one in (*CALLS, *EVENTS):
    _key = (f"os-opencl{_one.resource}", _one.numbered, _one.action)
    _BY_PATH.setdefault(_key, []).append(_one)


def find(method: str, path: str) -> tuple[Call, int]:
    """A call, and the number of its object; 0 if it has none.

    :param path: after the session
    :raises Refusal: there is no such call
    """
    match = _PATH.fullmatch(path)
    number = match[2] if match else None
    if number and int(number) > schemas.NUMBER["maximum"]:
        raise Refusal(404, "there is no such number")
    found = _BY_PATH.get((match[1], number is not None, match[3] or ""), []) if match else []
    for one in found:
        if one.method == method:
            return one, int(number or 0)
    if found:
        methods = " or ".join(one.method for one in found)
        raise Refusal(405, f"this path takes {methods}")
    raise Refusal(404, "there is no such call")
