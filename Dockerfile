# syntax=docker/dockerfile:1

# docker build --tag kd .
# docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/work" kd compare

FROM rust:1.95-slim-bookworm AS base
# The compiler of the image, and not the one that rust-toolchain.toml names.
ENV RUSTUP_TOOLCHAIN=1.95
RUN cargo install cargo-chef --version 0.1.78 --locked
WORKDIR /build

FROM base AS plan
COPY . .
RUN cargo chef prepare --bin kd --recipe-path plan.json

FROM base AS build
ARG FEATURES=mimalloc
COPY --from=plan /build/plan.json .
# All dependencies, Burn among them: a layer that only other dependencies build anew.
RUN cargo chef cook --release --locked --package kd --features "$FEATURES" --recipe-path plan.json
COPY . .
RUN cargo build --release --locked --package kd --features "$FEATURES"

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="kd" \
      org.opencontainers.image.description="Knowledge distillation in pure Rust" \
      org.opencontainers.image.source="https://github.com/kd-rs/kd" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
RUN useradd --create-home --uid 10001 kd && install --directory --owner kd /work
COPY --from=build /build/target/release/kd /usr/local/bin/kd
# By number, so that a cluster can see that it is not root.
USER 10001
# Runs are written here, and data sets are below it: the place for a volume.
WORKDIR /work
ENTRYPOINT ["kd"]
CMD ["--help"]
