// Encrypts and decrypts text: encrypt <key id or alias>. ../README.md has the variables that it reads.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	kmsv1 "holdfast.kms/go/holdfast/kms/v1"
)

// A copy of ../retry-policy.json: Go embeds files of its own folder only.
//
//go:embed retry-policy.json
var retryPolicy string

const mostAttempts = 5

// connect takes the certificates and the address from the environment.
func connect() (*grpc.ClientConn, error) {
	certificate, err := tls.LoadX509KeyPair(os.Getenv("HOLDFAST_CERTIFICATE"), os.Getenv("HOLDFAST_KEY"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(os.Getenv("HOLDFAST_CA"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("HOLDFAST_CA has no certificate")
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: roots, MinVersion: tls.VersionTLS13}
	return grpc.NewClient(os.Getenv("HOLDFAST_SERVER"),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithDefaultServiceConfig(retryPolicy))
}

// explanation is the server's information about an error.
type explanation struct {
	reason, requestID string
	retryable         bool
	delay             *time.Duration
}

// explain returns nil if the server sent no details, because it was not reached.
func explain(err error) *explanation {
	var why *explanation
	var delay *time.Duration
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			metadata := detail.GetMetadata()
			why = &explanation{
				reason:    detail.GetReason(),
				requestID: metadata["request_id"],
				retryable: metadata["retryable"] == "true",
			}
		case *errdetails.RetryInfo:
			told := detail.GetRetryDelay().AsDuration()
			delay = &told
		}
	}
	if why != nil {
		why.delay = delay
	}
	return why
}

// call sends a request, and repeats it while the server says that a retry may succeed.
func call[Request, Response any](
	ctx context.Context,
	method func(context.Context, *Request, ...grpc.CallOption) (*Response, error),
	request *Request,
) (*Response, error) {
	for attempt := 1; ; attempt++ {
		response, err := method(ctx, request)
		if err == nil {
			return response, nil
		}
		why := explain(err)
		if why == nil || !why.retryable || attempt == mostAttempts {
			return nil, err
		}
		delay := 100 * time.Millisecond << attempt
		if why.delay != nil {
			delay = *why.delay
		}
		fmt.Fprintf(os.Stderr, "%T again in %d ms: %s\n", request, delay.Milliseconds(), why.reason)
		time.Sleep(delay)
	}
}

func encryptAndDecrypt(ctx context.Context, client kmsv1.CryptographyServiceClient, keyID string) (string, error) {
	encryptionContext := map[string]string{"purpose": "example"}
	encrypted, err := call(ctx, client.Encrypt, &kmsv1.EncryptRequest{
		KeyId: &keyID, Plaintext: []byte("hello from Go"), EncryptionContext: encryptionContext,
	})
	if err != nil {
		return "", err
	}
	decrypted, err := call(ctx, client.Decrypt, &kmsv1.DecryptRequest{
		CiphertextBlob: encrypted.GetCiphertextBlob(), EncryptionContext: encryptionContext,
	})
	return string(decrypted.GetPlaintext()), err
}

func run() int {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: encrypt <key id or alias>")
		return 2
	}
	connection, err := connect()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer connection.Close()
	text, err := encryptAndDecrypt(context.Background(), kmsv1.NewCryptographyServiceClient(connection), os.Args[1])
	if err == nil {
		fmt.Println("decrypted:", text)
		return 0
	}
	if why := explain(err); why != nil {
		fmt.Fprintf(os.Stderr, "%s (retryable: %t, request %s): %s\n",
			why.reason, why.retryable, why.requestID, status.Convert(err).Message())
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

func main() {
	os.Exit(run())
}
