/// Gives h2load a client certificate, for which it has no option. Preloaded, it adds the PEM files that
/// HOLDFAST_BENCH_CERTIFICATE and HOLDFAST_BENCH_KEY name to each TLS context that the program makes.
///
/// OpenSSL's functions are declared here as in its manual pages: no development package is needed.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace {

constexpr int kPemFile = 1;  // SSL_FILETYPE_PEM

template <typename Function>
Function* next(const char* name) {
  auto* const found = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
  if (found != nullptr) return found;
  static_cast<void>(std::fprintf(stderr, "client-certificate: %s is not in this program\n", name));
  std::abort();
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void* SSL_CTX_new(const void* method) {
  void* const context = next<void*(const void*)>("SSL_CTX_new")(method);
  const char* const certificate = std::getenv("HOLDFAST_BENCH_CERTIFICATE");
  const char* const key = std::getenv("HOLDFAST_BENCH_KEY");
  if (context == nullptr || certificate == nullptr || key == nullptr) return context;
  const bool used =
      next<int(void*, const char*)>("SSL_CTX_use_certificate_chain_file")(context, certificate) == 1 &&
      next<int(void*, const char*, int)>("SSL_CTX_use_PrivateKey_file")(context, key, kPemFile) == 1;
  if (used) return context;
  static_cast<void>(std::fprintf(stderr, "client-certificate: %s or %s cannot be used\n", certificate, key));
  std::abort();
}
