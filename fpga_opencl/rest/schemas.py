# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of the requests' bodies; their fields have the original's names.

None refers to another document, and each was used once when this module is there: where requests
are served, Python has no files to load anything from.
"""

import typing

import jsonschema

from fpga_opencl.rest.answers import Refusal

Schema = dict[str, typing.Any]

#: Bytes of a request's body, and of the content that a call carries.
BODY, CONTENT = 1 << 20, 512 << 10
_BASE64 = (CONTENT + 2) // 3 * 4 * 78 // 76  # with the ends of its lines
_MOST_WORDS = 80  # characters of what was sent, in a message

NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}
_TEXT: Schema = {"type": "string"}
_INDEX: Schema = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
#: The original sends such a list, and nothing is in it.
_NONE: Schema = {"type": "array", "maxItems": 0}


def body(required: typing.Mapping[str, Schema], **optional: Schema) -> Schema:
    """An object with these fields, and no others."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(name: str, one: Schema, least: int, most: int) -> Schema:
    """A list as the original has it: each member is an object with one field."""
    return {"type": "array", "items": body({name: one}), "minItems": least, "maxItems": most}


_DEVICES = _list("Device", NUMBER, 1, 64)
#: Sizes of a kernel's dimensions.
_SIZES = _list("Size", NUMBER, 1, 3)
_SIZES_OR_NONE = _list("Size", NUMBER, 0, 3)
_WAITS: Schema = {"type": "array", "items": NUMBER, "maxItems": 64}
_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": CONTENT}
_CONTENT: Schema = {"type": "string", "maxLength": _BASE64}
#: Of a queue, as OpenCL names and numbers them.
PROPERTIES = {"CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE": 1, "CL_QUEUE_PROFILING_ENABLE": 2}
_PROPERTIES: Schema = {"type": "array", "items": {"enum": list(PROPERTIES)}, "maxItems": 2}
_ARGUMENTS: dict[str, Schema] = {
    "DeviceMemoryObject": NUMBER,
    "LocalMemory": NUMBER,
    "HostValue": _CONTENT,
}


def _command(required: typing.Mapping[str, Schema], **optional: Schema) -> Schema:
    """The body of a command that has an event."""
    return body(required, **optional, EventWaitList=_WAITS, Event={"type": "boolean"})


EMPTY = body({})
CREATE_CONTEXT = body({"Devices": _DEVICES}, Properties=_NONE)
CREATE_BUFFER = body({"Context": NUMBER, "MEM_SIZE": NUMBER}, BufferProperties=_NONE)
CREATE_PROGRAM = body(
    {"Context": NUMBER, "ListProgramStrings": _list("ProgramString", _TEXT, 1, 1024)}
)
BUILD = body({"ListDevices": _DEVICES}, CompileOptions=_TEXT)
BUILD_INFO = body(
    {
        "Device": NUMBER,
        "ParamName": {"enum": ["CL_PROGRAM_BUILD_STATUS", "CL_PROGRAM_BUILD_LOG"]},
    }
)
CREATE_KERNEL = body({"Program": NUMBER, "KernelName": _TEXT})
SET_ARGUMENT = body({"ArgIndex": _INDEX}, **_ARGUMENTS) | {
    "oneOf": [{"required": [name]} for name in _ARGUMENTS]
}
CREATE_QUEUE = body({"Context": NUMBER, "Device": NUMBER}, ListQueueProperties=_PROPERTIES)
READ = body({"Buffer": NUMBER, "ByteCount": _COUNT}, Offset=NUMBER, EventWaitList=_WAITS)
WRITE = _command({"Buffer": NUMBER, "Data": _CONTENT}, Offset=NUMBER, ByteCount=_COUNT)
COPY = _command(
    {"SourceBuffer": NUMBER, "DestinationBuffer": NUMBER, "ByteCount": NUMBER},
    SourceOffset=NUMBER,
    DestinationOffset=NUMBER,
)
NDRANGE = _command(
    {"Kernel": NUMBER, "GlobalWorkSize": _SIZES},
    GlobalWorkOffset=_SIZES_OR_NONE,
    LocalWorkSize=_SIZES_OR_NONE,
)
TASK = _command({"Kernel": NUMBER})
BARRIER = _command({})


class Check:
    """Whether a body is what a call takes."""

    def __init__(self, schema: Schema) -> None:
        self._validator = jsonschema.Draft202012Validator(schema)
        self._find({"unknown": None})

    def __call__(self, document: typing.Any) -> None:
        """See that it is.

        :raises Refusal: it is not
        """
        message = self._find(document)
        if message:
            raise Refusal(400, f"the body is not what this call takes: {message}")

    def _find(self, document: typing.Any) -> str:
        """What is wrong; nothing if all is well."""
        error = jsonschema.exceptions.best_match(self._validator.iter_errors(document))
        if error is None:
            return ""
        place = "".join(f"{part}: " for part in error.absolute_path)
        if len(error.message) <= _MOST_WORDS * 2:
            return f"{place}{error.message}"
        # The message has the whole content.
        return f"{place}{error.message[:_MOST_WORDS]}… ({error.validator})"
