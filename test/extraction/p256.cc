#include "p256.h"

#include <array>
#include <cstdint>
#include <optional>

namespace extraction {
namespace {

/// 256 bits, the least significant word first.
using Number = std::array<std::uint64_t, 4>;

// SP 800-186 §3.2.1.3.
constexpr Number kPrime{0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001};
constexpr Number kOrder{0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000};
constexpr Number kBaseX{0xf4a13945d898c296, 0x77037d812deb33a0, 0xf8bce6e563a440f2, 0x6b17d1f2e12c4247};
constexpr Number kBaseY{0xcbb6406837bf51f5, 0x2bce33576b315ece, 0x8ee7eb4a7c0f9e16, 0x4fe342e2fe1a7f9b};

bool isLess(const Number& a, const Number& b) {
  for (size_t i = 4; i-- > 0;) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

/// a - b modulo 2^256.
Number difference(const Number& a, const Number& b) {
  Number result{};
  std::uint64_t borrow = 0;
  for (size_t i = 0; i < 4; ++i) {
    const std::uint64_t part = a[i] - b[i];
    result[i] = part - borrow;
    borrow = static_cast<std::uint64_t>(a[i] < b[i] || part < borrow);
  }
  return result;
}

/// a + b modulo m, of numbers below m.
Number added(const Number& a, const Number& b, const Number& m) {
  const Number room = difference(m, b);
  if (!isLess(a, room)) return difference(a, room);
  return difference(a, difference(Number{}, b));
}

Number subtracted(const Number& a, const Number& b, const Number& m) {
  return isLess(a, b) ? difference(a, difference(b, m)) : difference(a, b);
}

bool bitOf(const Number& number, size_t i) { return (number[i / 64] >> (i % 64) & 1) != 0; }

Number multiplied(const Number& a, const Number& b, const Number& m) {
  Number sum{};
  for (size_t i = 256; i-- > 0;) {
    sum = added(sum, sum, m);
    if (bitOf(b, i)) sum = added(sum, a, m);
  }
  return sum;
}

/// By Fermat: a^(m-2) modulo the prime m.
Number inverted(const Number& a, const Number& m) {
  const Number exponent = difference(m, Number{2});
  Number result{1};
  for (size_t i = 256; i-- > 0;) {
    result = multiplied(result, result, m);
    if (bitOf(exponent, i)) result = multiplied(result, a, m);
  }
  return result;
}

/// Jacobian coordinates; z = 0 is the point at infinity.
struct Point {
  Number x, y, z;
};

Number times(const Number& a, const Number& b) { return multiplied(a, b, kPrime); }
Number plus(const Number& a, const Number& b) { return added(a, b, kPrime); }
Number minus(const Number& a, const Number& b) { return subtracted(a, b, kPrime); }

/// "dbl-2001-b" of the Explicit-Formulas Database.
Point doubled(const Point& p) {
  const Number delta = times(p.z, p.z);
  const Number gamma = times(p.y, p.y);
  const Number beta = times(p.x, gamma);
  const Number part = times(minus(p.x, delta), plus(p.x, delta));
  const Number alpha = plus(plus(part, part), part);
  const Number beta2 = plus(beta, beta);
  const Number beta4 = plus(beta2, beta2);
  const Number x = minus(times(alpha, alpha), plus(beta4, beta4));
  const Number sum = plus(p.y, p.z);
  const Number z = minus(minus(times(sum, sum), gamma), delta);
  const Number gamma2 = plus(gamma, gamma);
  const Number gamma4 = times(gamma2, gamma2);
  const Number y = minus(times(alpha, minus(beta4, x)), plus(gamma4, gamma4));
  return {x, y, z};
}

/// Adds the base point. Never called for the base point itself or its negative but by a chance of 2^-250.
Point plusBase(const Point& p) {
  if (p.z == Number{}) return {kBaseX, kBaseY, {1}};
  const Number z2 = times(p.z, p.z);
  const Number h = minus(times(kBaseX, z2), p.x);
  const Number r = minus(times(kBaseY, times(z2, p.z)), p.y);
  const Number h2 = times(h, h);
  const Number h3 = times(h2, h);
  const Number v = times(p.x, h2);
  const Number x = minus(minus(times(r, r), h3), plus(v, v));
  const Number y = minus(times(r, minus(v, x)), times(p.y, h3));
  return {x, y, times(p.z, h)};
}

/// The x of k times the base point.
Number baseTimes(const Number& k) {
  Point sum{{}, {1}, {}};
  for (size_t i = 256; i-- > 0;) {
    sum = doubled(sum);
    if (bitOf(k, i)) sum = plusBase(sum);
  }
  const Number inverse = inverted(sum.z, kPrime);
  return times(sum.x, times(inverse, inverse));
}

/// \param bytes up to 32, big-endian
Number numberOf(const Bytes& bytes) {
  Number number{};
  for (size_t i = 0; i < bytes.size() && i < 32; ++i) {
    number[i / 8] |= std::uint64_t{bytes[bytes.size() - 1 - i]} << (i % 8 * 8);
  }
  return number;
}

Number reduced(const Number& number) { return isLess(number, kOrder) ? number : difference(number, kOrder); }

}  // namespace

// s = (e + r d) / k (FIPS 186-5 §6.4.1), so k = (e + r d) / s, and r is the x of k times the base point.
bool madeSignature(const Bytes& scalar, const Bytes& digest, const Bytes& signature) {
  if (signature.size() != 64) return false;
  const Number r = numberOf({signature.begin(), signature.begin() + 32});
  const Number s = numberOf({signature.begin() + 32, signature.end()});
  const Number product = multiplied(r, reduced(numberOf(scalar)), kOrder);
  const Number sum = added(reduced(numberOf(digest)), product, kOrder);
  const Number k = multiplied(sum, inverted(s, kOrder), kOrder);
  return reduced(baseTimes(k)) == r;
}

}  // namespace extraction
