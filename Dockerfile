# Only builds; nothing of it is shipped. Its digest could not be read when this was written. To pin it, append @ and
# what this prints:
#   docker buildx imagetools inspect oven/bun:1.4.5-slim --format '{{.Manifest.Digest}}'
FROM --platform=$BUILDPLATFORM oven/bun:1.4.5-slim AS build
WORKDIR /src

# Bun's executables for both architectures come from the lockfile, which has their checksums: what a build for
# another platform downloads by itself is not verified.
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --ignore-scripts --os=linux --cpu='*'

COPY . .
ARG TARGETARCH
RUN bun scripts/build.ts --target="linux-$TARGETARCH" \
  && bun scripts/rootfs.ts --arch="$TARGETARCH" --executable="dist/kpcea-linux-$TARGETARCH" /rootfs

# Distroless, but not one of Google's images: `static` has no libc and would weigh at least 4.7 MB with it, and
# `base-nossl` brings 8 MB of character sets. This holds 3.5 MB beside the executable, with nothing left to pin.
FROM scratch
COPY --from=build /rootfs /
# So that `command: [kpcea]` works as well as the old image's `command: [/app/kpcea]`.
ENV PATH=/app
# Bun trusts this file besides its own roots only when told so. Mount a company's bundle over it.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# As a number, or `runAsNonRoot` refuses it; the one that distroless calls nonroot.
USER 65532:65532
ENTRYPOINT ["/app/kpcea"]
