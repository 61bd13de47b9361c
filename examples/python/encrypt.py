"""Encrypts and decrypts text: encrypt.py <key id or alias>. ../README.md has the variables that it reads."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from holdfast.kms.v1 import cryptography_service_pb2 as kms
from holdfast.kms.v1 import cryptography_service_pb2_grpc as kms_grpc

RETRY_POLICY = (Path(__file__).parent.parent / "retry-policy.json").read_text()
MOST_ATTEMPTS = 5


def connect() -> grpc.Channel:
    """The certificates and the address come from the environment."""

    def read(name: str) -> bytes:
        return Path(os.environ[name]).read_bytes()

    tls = grpc.ssl_channel_credentials(read("HOLDFAST_CA"), read("HOLDFAST_KEY"), read("HOLDFAST_CERTIFICATE"))
    options = [("grpc.service_config", RETRY_POLICY)]
    return grpc.secure_channel(os.environ["HOLDFAST_SERVER"], tls, options)


@dataclass
class Explanation:
    reason: str
    retryable: bool
    request_id: str
    delay_seconds: float | None


def explain(error: grpc.RpcError) -> Explanation | None:
    """What the server says of an error; None where it said nothing, because it was not reached."""
    status = rpc_status.from_call(error)
    if status is None:
        return None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    delay = None
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(retry):
            delay = retry.retry_delay.ToTimedelta().total_seconds()
    metadata = info.metadata
    return Explanation(info.reason, metadata["retryable"] == "true", metadata["request_id"], delay)


def call(method, request):
    """One call, sent again while the server says that it may go well."""
    attempt = 1
    while True:
        try:
            return method(request)
        except grpc.RpcError as error:
            why = explain(error)
            if why is None or not why.retryable or attempt == MOST_ATTEMPTS:
                raise
            delay = why.delay_seconds if why.delay_seconds is not None else 0.1 * 2**attempt
            print(f"{type(request).__name__} again in {delay * 1000:.0f} ms: {why.reason}", file=sys.stderr)
            time.sleep(delay)
            attempt += 1


def main() -> int:
    context = {"purpose": "example"}
    with connect() as channel:
        service = kms_grpc.CryptographyServiceStub(channel)
        try:
            encrypt = kms.EncryptRequest(key_id=sys.argv[1], plaintext=b"hello from Python", encryption_context=context)
            ciphertext = call(service.Encrypt, encrypt).ciphertext_blob
            decrypt = kms.DecryptRequest(ciphertext_blob=ciphertext, encryption_context=context)
            print(f"decrypted: {call(service.Decrypt, decrypt).plaintext.decode()}")
        except grpc.RpcError as error:
            why = explain(error)
            if why is None:
                raise
            outcome = f"retryable: {str(why.retryable).lower()}, request {why.request_id}"
            print(f"{why.reason} ({outcome}): {error.details()}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
