# SPDX-License-Identifier: Apache-2.0
"""Programs: other bitstreams for regions of servers that run.

The API has the host of the server begin one, with the token of the user, which is kept nowhere.
The engine follows it to its end.
"""
