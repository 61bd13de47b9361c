# Holdfast as an image: docs/container.md. Both base images need Node 20.19 or newer in /usr/local, with its headers and npm
# in the first, and the same Debian release: what is compiled in one runs in the other. Not Node 24.19 or a later 24: whatever
# is compiled with its headers aborts in the garbage collector (nodejs/node#65446), which is checked below.
ARG BUILD_IMAGE=docker.io/library/node:22-bookworm-slim
ARG RUNTIME_IMAGE=docker.io/library/node:22-bookworm-slim

# The packages of the running service. better-sqlite3 is compiled here: its prebuilt binary is in no lock file.
FROM ${BUILD_IMAGE} AS dependencies
RUN apt-get update \
 && apt-get install -y --no-install-recommends cmake g++ make python3 \
 && rm -rf /var/lib/apt/lists/*
ENV npm_config_update_notifier=false
WORKDIR /build
COPY package.json package-lock.json ./
# No install script of a package runs: this is the only one that the service needs.
RUN if node --version | grep -q '^v24' && grep -q AddCleanupHook /usr/local/include/node/node_object_wrap.h; then \
      echo 'This Node aborts in addons: nodejs/node#65446. Take Node 22, or 24 before 24.19.' >&2; exit 1; \
    fi
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && npm --prefix node_modules/better-sqlite3 run build-release -- --nodedir=/usr/local

# The tools on top of them, generated code, addon, JavaScript.
FROM dependencies AS build
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run generate && npm run build:native && npm run build:ts

# What runs, and nothing else: no sources, maps and types, nothing that a compiler left behind.
FROM dependencies AS service
WORKDIR /build/node_modules
RUN rm -rf .bin .package-lock.json @types undici-types better-sqlite3/deps better-sqlite3/src better-sqlite3/binding.gyp \
 && find better-sqlite3/build -type f ! -path '*/Release/better_sqlite3.node' -delete \
 && find . -type d \( -name test -o -name tests -o -name bench -o -name benchmarks \) -prune -exec rm -r {} + \
 && find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.tsbuildinfo' -o -name '*.test.js' \) -delete \
 && find . -type d -empty -delete
WORKDIR /service
RUN mv /build/node_modules node_modules
COPY package.json LICENSE THIRD_PARTY_NOTICES.md ./
COPY proto proto
COPY --from=build /build/dist dist
COPY --from=build /build/native/build/Release/holdfast.node /build/native/build/Release/library-trial \
     /build/native/build/Release/token-pin native/build/Release/
RUN find dist -name '*.map' -delete \
 && chmod -R a+rX,go-w . \
 && chmod a+x dist/cli/main.js native/build/Release/library-trial native/build/Release/token-pin

# The base without package managers for Node (they are larger than the service), without files that change the user, and
# with a user of our own, whose number never changes: it owns the volumes.
FROM ${RUNTIME_IMAGE} AS base
RUN rm -rf /usr/local/lib/node_modules /usr/local/include /usr/local/share/doc /usr/local/share/man /usr/local/CHANGELOG.md \
      /usr/local/README.md /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* \
      /usr/local/bin/nodejs /usr/local/bin/docker-entrypoint.sh /opt/yarn* /var/lib/apt/lists/* /var/cache/apt/* \
      /var/log/* /root/.npm /root/.cache /tmp/* /usr/share/man /usr/share/info /usr/share/locale \
 && find /usr/share/doc -type f ! -name copyright -delete \
 && (! getent passwd node || userdel --remove node) \
 && groupadd --gid 10001 holdfast \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/holdfast --no-create-home --shell /usr/sbin/nologin holdfast \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/holdfast /run/holdfast \
 && install -d -m 0755 /etc/holdfast /opt/holdfast \
 && ln -s /opt/holdfast/dist/cli/main.js /usr/local/bin/holdfast

# Flattened: what was removed above is not in any layer.
FROM scratch
COPY --from=base / /
COPY --from=service /service /opt/holdfast
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production \
    HOLDFAST_SERVER=unix:/run/holdfast/holdfast.sock
USER 10001:10001
WORKDIR /var/lib/holdfast
EXPOSE 7443
STOPSIGNAL SIGTERM
# The socket of the example configuration. Not there? Name another server in HOLDFAST_SERVER (docs/container.md).
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
  CMD ["/usr/local/bin/node", "/opt/holdfast/dist/cli/main.js", "health", "--live", "--timeout", "5"]
ENTRYPOINT ["/usr/local/bin/node", "/opt/holdfast/dist/cli/main.js"]
CMD ["serve", "--config", "/etc/holdfast/holdfast.yaml"]
