# SPDX-License-Identifier: Apache-2.0
"""What stands behind a region of OpenCL: a node server, whose workers run the kernels."""

#: Parts of a region: one runs the package's binary only, the other compiles what its clients send.
BINARY, SOURCE = "binary", "source"
#: The bitfile of a package for the part that compiles: the same for all, so that its digest is.
PERMISSION = b"OpenCL C\n"
