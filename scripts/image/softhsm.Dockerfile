# The image under test with SoftHSM on top, as an operator would add a vendor's library. For `npm run test:image` only.
ARG HOLDFAST_IMAGE
FROM ${HOLDFAST_IMAGE}
USER 0:0
RUN apt-get update \
 && apt-get install -y --no-install-recommends openssl softhsm2 \
 && rm -rf /var/lib/apt/lists/*
COPY . /opt/test/
USER 10001:10001
