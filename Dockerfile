# The one image of Interline: the program `interline`, which runs the whole system or one service.
#
#   docker build -t interline .
#   docker run -p 127.0.0.1:8000:8000 interline             the whole system, with simulated suppliers
#   docker run interline serve flight_service               one service: docker-compose.yml, deploy/helm
#
# The program is linked statically (a static-pie with glibc, which keeps glibc's resolver and
# allocator), so the image needs no distribution under it: nothing to patch but the program, and no
# shell for whoever gets in.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# The flag belongs to the last link alone; as RUSTFLAGS it would reach build scripts and macros too.
RUN cargo rustc --release --locked -p cli --bin interline -- -C target-feature=+crt-static \
    && mkdir -p /image/etc/ssl/certs /image/etc/interline /image/tmp /image/var/lib/interline \
    && cp target/release/interline /image/interline \
    && cp LICENSE NOTICE /image/ \
    && cp deploy/image/passwd deploy/image/group /image/etc/ \
    && cp deploy/image/interline.toml /image/etc/interline/ \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && chmod 1777 /image/tmp \
    && chown 10001:10001 /image/var/lib/interline

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Interline" \
      org.opencontainers.image.description="One REST API over everything a trip is made of" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image/ /
ENV INTERLINE_CONFIG=/etc/interline/interline.toml
USER 10001:10001
WORKDIR /var/lib/interline
EXPOSE 8000
# Asks the gateway. A container of another service says where with INTERLINE_HEALTH_URL.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/interline", "health"]
ENTRYPOINT ["/interline"]
