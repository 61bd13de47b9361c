/// \file The operations that lanes run, one file each in this folder; `NativePool` of src/hsm/native.ts says
/// what they do.
#pragma once

#include <optional>
#include <string>

#include "cluster_keys.h"
#include "material.h"
#include "operation.h"
#include "witness.h"

namespace holdfast {

/// Makes an AES-256 key with every attribute explicit, checks it, and proves it by the canary that it has
/// just encrypted. Returns that canary (EncryptedData). Throws `bad-output` if the key is not as requested.
/// The id is fresh random bytes. Not repeatable: after a failure it is unknown whether the token has the key.
[[nodiscard]] OperationPointer makeGenerateKey(Bytes id, std::string label, Bytes canaryPlaintext,
                                               Bytes canaryAdditionalData,
                                               Custody custody = Custody::kStaysInToken);
/// Makes a key for MACs in the same way, `length` bytes long (see `KnownMac`). Returns its MAC of the empty
/// message (Bytes), by which it has proved itself.
[[nodiscard]] OperationPointer makeGenerateMacKey(Bytes id, std::string label, size_t length,
                                                  Custody custody = Custody::kStaysInToken);
/// Destroys every object with this class and CKA_ID; returns how many. A search that finds no more objects
/// counts only if the token still answers.
[[nodiscard]] OperationPointer makeDestroyKey(ObjectIdentity doomed);
/// Reads the attributes of the objects with this class and CKA_ID, at most 64 of them.
[[nodiscard]] OperationPointer makeReadAttributes(ObjectIdentity wanted);
/// Proves the material anew, whatever is known of its handle.
[[nodiscard]] OperationPointer makeProbe(MaterialPointer material);
/// Throws `too-long` beyond the profile's maximum, before it touches the token; so do the next two functions.
[[nodiscard]] OperationPointer makeEncrypt(MaterialPointer material, Secret plaintext, Bytes additionalData);
/// Throws with `callerFault` if the ciphertext is shorter than a tag, or if C_Decrypt fails and the canary
/// then decrypts through the same handle.
[[nodiscard]] OperationPointer makeDecrypt(MaterialPointer material, Bytes nonce, Bytes ciphertext,
                                           Bytes additionalData);
/// Bytes of the token's RNG, in plain text and encrypted under the material.
[[nodiscard]] OperationPointer makeGenerateDataKey(MaterialPointer material, size_t length,
                                                   Bytes additionalData);
/// The MAC of a message under a material with a `KnownMac` (Secret: of a message that a caller wants to
/// verify, the right MAC must not get out). If the MAC is not `expected`, the material's known answer is
/// tried on that same handle before: a wrong key under the handle looks like a wrong MAC (invariant 5).
[[nodiscard]] OperationPointer makeMac(MaterialPointer material, Secret message,
                                       std::optional<Bytes> expected);
/// Bytes of the token's RNG (C_GenerateRandom, PKCS#11 v2.40 §5.16).
[[nodiscard]] OperationPointer makeRandom(size_t length);

/// The material's key, wrapped under the generation's key for its kind: the blob, which is no secret. Throws
/// `material-mismatch` if the wrapping key lacks one of its attributes.
[[nodiscard]] OperationPointer makeWrapKey(MaterialPointer material, Generation generation);
/// Whether a token may have a key before it is made there.
enum class Novelty : uint8_t {
  kMayExist,
  /// Its random id was drawn just now, or the token's keys were listed and nothing has made it there since: a
  /// search, which takes time that grows with the token's contents, would find nothing.
  kNew,
};
/// Makes the material's key of a blob and proves it by its canary; returns how many keys it made: 0 if the
/// token had it. A key that does not prove itself is destroyed again. Not beside another process's for the
/// same material: the token would have two.
[[nodiscard]] OperationPointer makeUnwrapKey(MaterialPointer material, Generation generation, Bytes blob,
                                             Novelty novelty = Novelty::kMayExist);

/// HMAC-SHA-256 of the data under the generation's key for backups. Throws `material-mismatch` if that key
/// lacks one of its attributes.
[[nodiscard]] OperationPointer makeBackupMac(Generation generation, Bytes data);
/// Makes the material's key of a blob as a session object, proves it by its attributes and its known answer,
/// and destroys it. It has neither CKA_ID nor label: the search for a key in use does not find it.
[[nodiscard]] OperationPointer makeProveBlob(MaterialPointer material, Generation generation, Bytes blob);
/// The blob under another generation's key, for members that lack the first one: the key is a session object
/// in between, and proves itself.
[[nodiscard]] OperationPointer makeRewrapBlob(MaterialPointer material, Generation from, Bytes blob,
                                              Generation to);

/// Destroys all but one of several objects that are the material's key, each proved by its attributes and its
/// known answer; returns how many. If one does not prove itself, it throws why and destroys nothing. Not
/// beside another process's for the same material, and only if another member has the key.
[[nodiscard]] OperationPointer makeResolveDuplicates(MaterialPointer material);

/// The cluster's marked generations of which the token has all keys, with their attributes; ascending. A mark
/// alone proves nothing: anyone who reaches the token can plant one.
[[nodiscard]] OperationPointer makeReadGenerations(std::string cluster);

/// The cluster's witnesses on the token; see witness.h.
[[nodiscard]] OperationPointer makeReadWitnesses(std::string cluster);
/// Replaces them by this one. Not repeatable: after a failure the token may have both.
[[nodiscard]] OperationPointer makeWriteWitness(std::string cluster, Witness witness);

/// Encrypts under the material's key. Throws `handle-revoked` if another lane saw meanwhile that the handle
/// is another key's; the ciphertext is then thrown away.
[[nodiscard]] EncryptedData encryptUnder(OperationContext& context, const MaterialPointer& material,
                                         ByteView plaintext, ByteView additionalData);

/// Takes a nonce of the token's RNG (invariant 9) and encrypts with a handle that may be used.
[[nodiscard]] EncryptedData encryptWith(OperationContext& context, CK_OBJECT_HANDLE key, ByteView plaintext,
                                        ByteView additionalData);

/// Reads the whole token into the cache. This is not an operation for a lane: it takes long and has a session
/// of its own.
[[nodiscard]] std::vector<ObjectSummary> takeInventory(OperationContext& context);

}  // namespace holdfast
