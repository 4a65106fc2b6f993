# Built in two stages, so that nothing that builds stays in the image: what runs is Python and one virtual environment.
FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv --without-pip /opt/thermo-guard
COPY requirements.txt requirements-build.txt ./
RUN pip --python /opt/thermo-guard/bin/python install --no-cache-dir --require-hashes -r requirements.txt \
 && pip install --no-cache-dir --require-hashes -r requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Without the network: all that this step needs has been installed above, with its hashes checked.
RUN pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/thermo-guard/bin/python install --no-cache-dir --no-index --no-deps dist/*.whl


FROM python:3.12-slim
# The number is fixed since bind mounts on a NAS are given to it (docs/SYNOLOGY.md).
RUN groupadd --gid 10001 thermo-guard \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin thermo-guard \
 && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /opt/thermo-guard /opt/thermo-guard
# Nothing is written outside /data and /tmp, so that the root file system may be read-only.
# MALLOC_TRIM_THRESHOLD_: memory that pyVmomi's import takes for a moment is given back; 87 MB resident instead of 140.
ENV PATH=/opt/thermo-guard/bin:$PATH \
    MALLOC_TRIM_THRESHOLD_=65536 \
    DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
# Fails when the loop has stopped ticking, whatever the process looks like from outside.
HEALTHCHECK --interval=60s --timeout=15s --start-period=60s --retries=3 \
    CMD ["thermo-guard", "status", "--healthcheck"]
ENTRYPOINT ["thermo-guard"]
CMD ["run"]
