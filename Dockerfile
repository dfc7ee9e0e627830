# The image holds code, not data: /app/var is a volume with the database, files, models and the secret key.
# The first start trains the starter model into it, which takes about half a minute.

FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv .venv
# Dependencies first: an edit of the code leaves this layer alone.
COPY requirements.lock ./
RUN .venv/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml LICENSE config.yml ./
COPY bot bot
COPY connectors connectors
COPY handoff handoff
COPY nlu nlu
RUN .venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && .venv/bin/python -m compileall -q bot connectors handoff nlu

FROM python:3.13-slim-bookworm
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /app/var --shell /usr/sbin/nologin switchboard \
    && install --directory --owner=switchboard --mode=0700 /app/var
WORKDIR /app
COPY --from=build /app /app
USER switchboard
VOLUME /app/var
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["switchboard"]
# Inside a container, 127.0.0.1 would be reachable by nobody.
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
