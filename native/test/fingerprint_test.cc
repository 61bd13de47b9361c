#include "fingerprint.h"

#include <gtest/gtest.h>

#include <string>

#include "core_fixture.h"

namespace holdfast {
namespace {

Fingerprint of(const std::string& text) { return Fingerprint(bytesOf(text)); }

TEST(Fingerprint, IsEqualOnlyForEqualSecrets) {
  // Lengths around that of a word, because the last word is padded.
  for (const size_t length : {0, 1, 7, 8, 9, 15, 16, 17, 255}) {
    const std::string secret(length, 's');
    EXPECT_EQ(of(secret), of(secret)) << length;
    EXPECT_NE(of(secret), of(secret + "s")) << length;
    EXPECT_NE(of(secret), of(secret + '\0')) << length;
    for (size_t place = 0; place < length; ++place) {
      auto other = secret;
      other[place] = 't';
      EXPECT_NE(of(secret), of(other)) << length << " " << place;
    }
  }
}

}  // namespace
}  // namespace holdfast
