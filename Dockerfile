# Only builds; nothing of it is shipped. Both base images get their digests from the update bot (renovate.json), and
# keep them up to date by it.
FROM --platform=$BUILDPLATFORM oven/bun:1.4.5-slim AS build
WORKDIR /src

# Bun's executable for the target comes from the lockfile, which has its checksum: what a build for another platform
# downloads by itself is not verified. Bun calls amd64 x64.
ARG TARGETARCH
COPY package.json bun.lock ./
RUN cpu="${TARGETARCH#amd64}" && bun install --frozen-lockfile --ignore-scripts --os=linux --cpu="${cpu:-x64}"

COPY . .
RUN bun scripts/build.ts --target="linux-$TARGETARCH"

# The C library, certificate authorities and a user without rights; no shell, no package manager.
FROM gcr.io/distroless/base-nossl-debian13:nonroot
ARG TARGETARCH
COPY --from=build "/src/dist/kpcea-linux-$TARGETARCH" /app/kpcea
# So that `command: [kpcea]` works as well as the old image's `command: [/app/kpcea]`.
ENV PATH=/app
# Bun trusts this file besides its own roots only when told so. Mount a company's bundle over it.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# As a number, or `runAsNonRoot` refuses it; the one that distroless calls nonroot.
USER 65532:65532
ENTRYPOINT ["/app/kpcea"]
