# SPDX-License-Identifier: Apache-2.0
"""Has hostile bytes read by a process of its own, without rights and under limits.

Whatever strangers made (bitstreams, packages, container images) is read in here and nowhere else:
by a program (`confinement.Confinement.run`) or by a module of ours (`readers.read`). A limit that
ends such a process says nothing of the bytes; what is wrong with these, the reader has to say.
"""
