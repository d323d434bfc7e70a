# Airlock on one machine, as a container: small, not root, with a root file system that may be read-only.
#
#   docker build -t airlock .        builds it from source
#
# Everything that lasts is in /data.

ARG BASE=docker.io/library/debian:bookworm-slim

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libclamav-dev python3 \
 && rm -rf /var/lib/apt/lists/* \
 && cargo build --release --locked --package airlock && cp target/release/airlock /airlock \
 && tools/engine build --locked && strip -o /airlock-engine target/engine/airlock-engine \
 && tools/dist/licences /licences

# What the image takes from the build; `--build-context binary=DIRECTORY` gives it another one.
FROM scratch AS binary
COPY --from=build /airlock /airlock-engine /
COPY --from=build /licences /licences

# hadolint ignore=DL3006
FROM ${BASE}
# Debian's security updates come with a rebuild; a pinned version would keep them out.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates clamav-daemon clamav-freshclam \
 && rm -rf /var/lib/apt/lists/* /var/lib/clamav \
 && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=binary --chmod=0755 /airlock /airlock-engine /usr/local/bin/
COPY --from=binary /licences /usr/share/doc/airlock/
USER 10001:10001
VOLUME /data
EXPOSE 8000 8001
HEALTHCHECK --interval=30s --timeout=10s --start-period=15m CMD ["airlock", "health"]
ENTRYPOINT ["airlock"]
CMD ["local", "--data-dir", "/data"]
