# SPDX-License-Identifier: Apache-2.0
"""The service's own database: samples of the availability, and the engine's lease.

Regions and images have no table here. Functions give values, and no row of SQLAlchemy's.
"""
