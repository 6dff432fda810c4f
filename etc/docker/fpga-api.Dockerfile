# SPDX-License-Identifier: Apache-2.0
# fpga-api serve --env-file: the availability of GPUs alone (docs/availability.md).
#
#   make dist && docker build -f etc/docker/fpga-api.Dockerfile -t fpga-api .
#   docker run --network host --env-file env.file fpga-api
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
COPY requirements/api.txt dist/*.whl /build/
RUN python3 -m venv /opt/fpga-api \
    && /opt/fpga-api/bin/pip install --no-cache-dir --no-deps --require-hashes -r /build/api.txt \
    && /opt/fpga-api/bin/pip install --no-cache-dir --no-deps /build/*.whl

FROM ${BASE}
COPY --from=build /opt/fpga-api /opt/fpga-api
USER 65534:65534
EXPOSE 8080
ENTRYPOINT ["/opt/fpga-api/bin/fpga-api", "serve", "--bind", "0.0.0.0:8080", "--env-file"]
