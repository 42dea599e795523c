# docker build -t nearnd . && docker run --rm -v "$PWD/results:/nearnd/results" nearnd
FROM python:3.12-slim
# whichever version Debian has will do
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /nearnd
COPY . .
RUN make .venv/installed
CMD ["make", "run"]
