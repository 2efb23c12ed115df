/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wssec.h: WS-Security for ONE SOAP message (OASIS WSS 1.1, XML-DSig, exclusive C14N).
 *
 * Takes the bytes of a message, a policy, an instant and a key resolver; gives a verdict, or new bytes. Opens no file
 * or socket, reads no clock, starts no thread, keeps no store. Inputs are borrowed for the call; results are copied
 * into caller-owned structs without pointers into the message.
 *
 * Threads: after wssec_init() there is no mutable global state. One wssec_worker per thread; policies and entries may
 * be shared read-only between threads.
 */
#ifndef WSSEC_H
#define WSSEC_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSSEC_API        __attribute__((visibility("default")))
#define WSSEC_MUST_CHECK __attribute__((warn_unused_result))

/* ---- words ---------------------------------------------------------------------------------------------------- */

enum wssec_reason {
#define ROW(name, code, fault, etsi, hint, meaning, cure) WSSEC_##name,
#include "reason.def"
#undef ROW
    WSSEC_REASONS
};

enum wssec_result {
    WSSEC_FAIL = 0 /**< also the value of a zeroed verdict: closed by default */,
    WSSEC_PASS,
    WSSEC_INDETERMINATE,
    WSSEC_ERROR
};

/** Outcome of a call; the verdict of a message is not here. */
enum wssec_rc {
    WSSEC_RC_OK = 0,
    WSSEC_RC_NOMEM = -1,
    WSSEC_RC_INTERNAL = -2,
    WSSEC_RC_USAGE = -3,
    WSSEC_RC_WHOLE = 1 /**< of wssec_verify_finish */
};

enum wssec_state {
    WSSEC_PRE_ACTIVE,
    WSSEC_ACTIVE,
    WSSEC_DEACTIVATED,
    WSSEC_ARCHIVED,
    WSSEC_SUSPENDED,
    WSSEC_COMPROMISED,
    WSSEC_DESTROYED
};
enum wssec_trust {
    WSSEC_TRUST_PINNED,
    WSSEC_TRUST_CHAIN_GOOD,
    WSSEC_TRUST_CHAIN_BROKEN,
    WSSEC_TRUST_SUBJECT_DENIED,
    WSSEC_TRUST_CRL_MISSING
};
enum wssec_use { WSSEC_USE_VERIFY, WSSEC_USE_SIGN, WSSEC_USE_DECRYPT, WSSEC_USE_ENCRYPT };
enum wssec_time_source {
    WSSEC_TIME_NOW,
    WSSEC_TIME_AS_OF,
    WSSEC_TIME_POE,
    WSSEC_TIME_RECEIVED,
    WSSEC_TIME_CLAIMED,
    WSSEC_TIME_MTIME
};
/** How KeyInfo names the key; the KIND words of the command line, plus none. */
enum wssec_keyref {
    WSSEC_KEYREF_NONE,
    WSSEC_KEYREF_DIRECT,
    WSSEC_KEYREF_PKIPATH,
    WSSEC_KEYREF_ISSUER_SERIAL,
    WSSEC_KEYREF_SKI,
    WSSEC_KEYREF_THUMBPRINT,
    WSSEC_KEYREF_X509V3,
    WSSEC_KEYREF_EMBEDDED,
    WSSEC_KEYREF_X509_DATA
};
enum wssec_engine { WSSEC_ENGINE_AUTO, WSSEC_ENGINE_DOM, WSSEC_ENGINE_STREAM };

/** Stable code of a reason ("digest-mismatch"). Never NULL; unknown values give "internal". Any thread. */
WSSEC_API const char *wssec_reason_code(enum wssec_reason r);
/** One sentence: what the reason means; what to do. Never NULL. Any thread. */
WSSEC_API const char *wssec_reason_meaning(enum wssec_reason r);
WSSEC_API const char *wssec_reason_cure(enum wssec_reason r);
/** Outward fault code as QName with its usual prefix ("wsse:FailedCheck", "soap:Client"), "" where none. */
WSSEC_API const char *wssec_reason_fault(enum wssec_reason r);
/** ETSI EN 319 102-1 sub-indication, "" where none. */
WSSEC_API const char *wssec_reason_etsi(enum wssec_reason r);
/** "S", "L", "O" or "-": who acts (see reason.def). */
WSSEC_API const char *wssec_reason_hint(enum wssec_reason r);
WSSEC_API const char *wssec_result_word(enum wssec_result r); /**< pass fail indeterminate error */
WSSEC_API const char *wssec_state_word(enum wssec_state s);   /**< pre-active active deactivated … */
WSSEC_API const char *wssec_keyref_word(enum wssec_keyref k); /**< none direct pkipath issuer-serial … */
WSSEC_API const char *wssec_time_source_word(enum wssec_time_source s);
/** Read a KIND word. @return 0, or -1 */
WSSEC_API int wssec_keyref_parse(const char *word, enum wssec_keyref *k);
/** Is that PART word known, and can such a part be signed (use WSSEC_USE_SIGN), encrypted (WSSEC_USE_ENCRYPT) or
 * demanded (the others)? For configurations, before any message. @return 0, or -1 and a sentence in err. Any thread */
WSSEC_API int wssec_part_check(const char *word, enum wssec_use use, char *err, size_t errsize);

/* ---- start-up and workers ------------------------------------------------------------------------------------- */

struct wssec_options {
    enum wssec_engine engine; /**< AUTO: the policy decides; else it goes before every policy (tests) */
};

/** Start libxml2, xmlsec and the OpenSSL fetches, own transforms, self-tests. Once, main thread, before other threads.
 *  @param opt may be NULL  @return 0, or -1 and a sentence in err */
WSSEC_API int wssec_init(const struct wssec_options *opt, char *err, size_t errsize) WSSEC_MUST_CHECK;
/** Give everything back (leak checkers). After the last worker is freed. */
WSSEC_API void wssec_shutdown(void);
/** Versions in use, e.g. "libxml2 2.9.14 xmlsec 1.2.37 OpenSSL 3.0.22". Static. */
WSSEC_API const char *wssec_versions(void);

struct wssec_worker;
/** Parser, EVP contexts, buffers of one thread; reset between messages. @return owned by the caller, NULL: no memory */
WSSEC_API struct wssec_worker *wssec_worker_new(void) WSSEC_MUST_CHECK;
WSSEC_API void wssec_worker_free(struct wssec_worker *w);

/** Where a worker may lay out large octets that it makes of a message: attachments that it opens or seals. A caller
 *  whose messages lie in files need not hold these in memory then. */
struct wssec_room {
    void *ctx;
    /** Memory of n octets, any thread that uses the worker. It belongs to the caller, who gives it back once neither
     * the answer is needed nor another call of the worker takes it as input. After a refusal it may hold anything:
     * nobody is to read it. @return NULL: none is left */
    void *(*take)(void *ctx, size_t n);
};
#define WSSEC_ROOM_LEAST ((size_t)65536) /**< octets; what is smaller lies in the worker's own memory */
/** Set it for the calls that follow; borrowed until it is set anew. NULL: the worker's own memory, as at first. */
WSSEC_API void wssec_worker_room(struct wssec_worker *w, const struct wssec_room *room);

/* ---- policy --------------------------------------------------------------------------------------------------- */

struct wssec_policy;
/** A policy with the built-in defaults (interface: "default"). Reference count 1. @return NULL: no memory or name over
 * 64 octets */
WSSEC_API struct wssec_policy *wssec_policy_new(const char *name) WSSEC_MUST_CHECK;
/** Set one directive by its word, e.g. "require-signed" {"Body","wsa:To?"}; inner blocks as "timestamp.ttl" {"300s"},
 *  "limits.body" {"64M"}. Before freeze only. @return 0, or -1 and a sentence in err */
WSSEC_API int wssec_policy_set(struct wssec_policy *p, const char *word, int argc, const char *const argv[], char *err,
                               size_t errsize) WSSEC_MUST_CHECK;
/** Check contradictions and make p immutable; from here on it may be shared between threads. @return 0; 1: usable, but
 * err holds a warning; -1 and a sentence in err */
WSSEC_API int wssec_policy_freeze(struct wssec_policy *p, char *err, size_t errsize) WSSEC_MUST_CHECK;
/** A mutable copy under the same name (to override single words). @return reference count 1, or NULL */
WSSEC_API struct wssec_policy *wssec_policy_copy(const struct wssec_policy *p) WSSEC_MUST_CHECK;
WSSEC_API struct wssec_policy *wssec_policy_ref(struct wssec_policy *p);
WSSEC_API void wssec_policy_unref(struct wssec_policy *p);
WSSEC_API const char *wssec_policy_name(const struct wssec_policy *p);
/** Largest message body in octets (limits { body }). */
WSSEC_API uint64_t wssec_policy_body_limit(const struct wssec_policy *p);
WSSEC_API bool wssec_policy_replay(const struct wssec_policy *p);
/** Does the policy demand that this part (a PART word without '?') is there and signed? */
WSSEC_API bool wssec_policy_requires(const struct wssec_policy *p, const char *part);
/** First instant at which a dated exception (word as in legacy NAME until DATE) is over; 0: there is none. */
WSSEC_API int64_t wssec_policy_legacy_end(const struct wssec_policy *p, const char *word);

/* ---- input ---------------------------------------------------------------------------------------------------- */

struct wssec_slice {
    const uint8_t *p;
    size_t n;
};

struct wssec_input {                 /** One message as received; octets borrowed and unchanged for the whole call. */
    const struct wssec_slice *slice; /**< in order: pooled chunks or a mapped file; never joined by the caller */
    size_t n_slice;
    const char *content_type; /**< as received; NULL: sniff by content (files) */
    bool response;            /**< direction, for the fault shape and reply rules */
    bool over_tls;
    const struct wssec_slice *confirm; /**< SignatureValues of our request, for SignatureConfirmation; NULL: none */
    size_t n_confirm;
    int http_status; /**< of a reply; 0: unknown (files) */
};

struct wssec_when { /** All instants: UTC seconds. wssec never asks for the time. */
    int64_t now;
    int64_t at; /**< validation instant ("t" of the result); live traffic: at == now */
    enum wssec_time_source source;
    bool freshness; /**< false for archives: a late Timestamp is then a note, not a reason */
    bool replay;    /**< false: no replay check whatever the policy says */
};

/* ---- keys ----------------------------------------------------------------------------------------------------- */

struct wssec_entry { /** A candidate; borrowed from the snapshot, valid while the caller holds it. */
    const char *alias;
    unsigned ordinal;                                                        /**< shown as alias#ordinal */
    enum wssec_state state;                                                  /**< at when.at */
    int64_t not_before, not_after, process_stop, revoked_at, compromised_at; /**< 0: none */
    uint8_t sha256[32], spki_sha256[32]; /**< of the certificate's DER; of its SubjectPublicKeyInfo */
    enum wssec_trust trust;
    EVP_PKEY *key;            /**< public key (verify, encrypt) or private key (sign, decrypt); borrowed */
    struct wssec_slice der;   /**< the certificate */
    struct wssec_slice chain; /**< concatenated DER of the issuers (pkipath), may be empty */
    const char *trust_text;   /**< what trust rests on, in words; NULL: nothing to say; borrowed as the rest */
};

struct wssec_hint {          /** What the message says about its signer's key. A hint narrows, it never widens. */
    enum wssec_keyref kind;  /**< WSSEC_KEYREF_NONE: nothing said */
    uint8_t cert_sha256[32]; /**< direct, pkipath (leaf), x509v3, embedded, x509-data with a certificate */
    bool has_cert;
    const uint8_t *cert;
    size_t cert_len; /**< that certificate's DER (chain mode), borrowed for the call */
    const struct wssec_slice *path;
    size_t n_path;          /**< the other certificates of the token, any order */
    uint8_t thumbprint[20]; /**< kind THUMBPRINT: SHA-1 of the DER */
    const uint8_t *ski;
    size_t ski_len; /**< kind SKI */
    const char *issuer;
    const char *serial; /**< kind ISSUER_SERIAL (or beside X509Data): DN text, decimal serial */
};

struct wssec_resolver { /** Filled by the caller over its keystore snapshot. Called on the calling thread. */
    void *ctx;
    uint64_t generation;
    /** At most max entries of this partner for use, best first: exact hint, active by newest use, deactivated by newest
     * use; then entries that will be refused (archived, suspended, expired), so that the reason can name them. hint
     * NULL or kind NONE: all entries. @return how many, 0: none, -1: failure */
    int (*candidates)(void *ctx, enum wssec_use use, const struct wssec_hint *hint, int64_t at, struct wssec_entry *out,
                      int max);
    /** The password of user, NUL-terminated, for a UsernameToken (require-signed UsernameToken demands one).
     *  NULL: tokens are covered as the policy says, and not looked at. @return 1, 0: nobody of that
     *  name, -1: failure */
    int (*password)(void *ctx, const char *user, char *out, size_t outsize);
};

struct wssec_replay { /** ONE atomic step. May block; must be thread-safe. */
    void *ctx;
    /** @return 1 new, 0 seen before, -1 store full or not available */
    int (*claim)(void *ctx, const uint8_t key[32], int64_t keep_until);
};

/* ---- verdict -------------------------------------------------------------------------------------------------- */

#define WSSEC_MAX_REFERENCES 30
#define WSSEC_MAX_CANDIDATES 8
#define WSSEC_MAX_NOTES      12
#define WSSEC_HEADER_PARTS   8

struct wssec_range {
    size_t from, to;
}; /**< octets [from,to) of the input as received (all slices counted through); 0,0: none */

struct wssec_certificate {
    char alias[65];
    unsigned ordinal;
    uint8_t sha256[32], spki_sha256[32];
    enum wssec_state state;
    int64_t not_after, process_stop; /**< 0: none */
};

struct wssec_reference_result {
    char uri[128];
    char digest[12];
    bool ok;
    bool judged;
};

struct wssec_verdict { /** The result record. Plain data; zeroed it means fail. */
    enum wssec_result verdict;
    enum wssec_reason reason;
    char detail[384]; /**< a sentence with what was expected and found; "" none; no payload content */
    int64_t t;
    enum wssec_time_source time_source;
    int64_t claimed; /**< Created of the (covered) Timestamp; 0: none */
    bool has_certificate;
    struct wssec_certificate certificate;
    unsigned n_also;
    struct wssec_certificate also_matches[WSSEC_MAX_CANDIDATES];
    char algorithm[32], canonicalization[20];
    enum wssec_keyref key_reference;
    unsigned n_reference;
    struct wssec_reference_result reference[WSSEC_MAX_REFERENCES];
    unsigned n_covers;
    char covers[WSSEC_MAX_REFERENCES]
               [64]; /**< part names: Body, Timestamp, wsa:To, {ns}local …, a long ns without its beginning */
    unsigned n_signatures;
    uint64_t generation;
    char policy[65];
    unsigned n_notes;
    char notes[WSSEC_MAX_NOTES][96];
    unsigned n_legacy;
    char legacy[4][16]; /**< dated exceptions that this message used */
    enum wssec_engine engine;
    char fallback[32];
    uint8_t soap;  /**< 11, 12, 0: no envelope */
    bool is_fault; /**< Body holds a SOAP Fault */
    bool opening;  /**< decryption had begun: outward every refusal looks alike */
    bool has_decrypted_with;
    struct wssec_certificate decrypted_with; /**< whose private key opened the message */
    struct wssec_range security;             /**< our Security header, for wssec_remove_header */
    struct wssec_range header;               /**< the whole soap:Header */
    struct wssec_range root;                 /**< the SOAP part of a MIME message; 0,0: the message is that alone */
    struct wssec_range root_length;          /**< its Content-Length, which goes where that part changes; 0,0: none */
    unsigned n_header_part;                  /**< parts of an XOP package that stand for octets in our header, ... */
    struct wssec_range
        header_part[WSSEC_HEADER_PARTS]; /**< each with the delimiter in front; they go with the header */
    bool has_replay_key;
    uint8_t replay_key[32];
    int64_t replay_until;
    char message_id[256], relates_to[256]; /**< signed wsa values, "" none */
    char action[256];                      /**< signed wsa:Action, "" none */
    char user[256];                        /**< whose password the UsernameToken has, "" nobody was asked */
    unsigned n_signature_values;
    uint8_t signature_value_sha256[4][32]; /**< for logs; the values themselves stay with the input */
};

/** Steps of the judgement for `verify --explain`: order, what was expected, what was found. Owned by the caller. */
struct wssec_explain {
    struct wssec_explain_step {
        char step[32];
        bool ok;
        char text[512];
    } * step; /**< owned; wssec_explain_free */
    size_t n, cap;
};
WSSEC_API void wssec_explain_free(struct wssec_explain *e);

/* ---- output --------------------------------------------------------------------------------------------------- */

/** Pieces of the answer in order: each points either into the input or into memory that the worker holds until its next
 * call. */
struct wssec_output {
    const struct wssec_slice *piece;
    size_t n_piece;
    size_t octets;
};

/* ---- verification --------------------------------------------------------------------------------------------- */

/** Judge in. @param c NULL: replay off @param x NULL: no explanation
 *  @return WSSEC_RC_OK: *v is filled, whatever the verdict; else v->verdict is WSSEC_ERROR and nothing may pass */
WSSEC_API int wssec_verify(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                           const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                           struct wssec_verdict *v, struct wssec_explain *x) WSSEC_MUST_CHECK;

/** What the judge of a message that comes in pieces asks for. */
enum wssec_need {
    WSSEC_NEED_MORE,    /**< the octets that follow */
    WSSEC_NEED_NOTHING, /**< refused, whatever follows: no stored key fits, or it is larger than the policy allows */
    WSSEC_NEED_WHOLE    /**< this message is judged in one piece only: gather it, further pieces are not looked at */
};

/**
 * Judge a message while it comes: begin, feed its octets in pieces of any length as they arrive, finish. The pieces are
 * not kept; memory does not grow with the message. The answer is that of wssec_verify at the time of finish.
 *
 * One message per worker at a time: any other call on w but these gives it up (feed and finish then return
 * WSSEC_RC_USAGE). The three may come from different threads, one after the other. Borrowed until finish: the strings
 * and confirmations of in (its slices are not looked at here), p, what r finds, v and x. v is filled by finish.
 * @return WSSEC_RC_OK; else an error of ours, and nothing may pass
 */
WSSEC_API int wssec_verify_begin(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                                 const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_verdict *v,
                                 struct wssec_explain *x) WSSEC_MUST_CHECK;
/** The next n octets, borrowed for the call. @param need what to do next; WSSEC_NEED_NOTHING after an error */
WSSEC_API int wssec_verify_feed(struct wssec_worker *w, const void *octets, size_t n,
                                enum wssec_need *need) WSSEC_MUST_CHECK;
/** Nothing follows: fill the verdict. t, r and c as of now; where the generation of r has changed since begin the
 * message is judged once more from the beginning. @param in the whole message, looked at only where it must be judged
 * in one piece (and for a cross-check), so it may be a file that was mapped and not read; NULL: not at hand
 *  @return as wssec_verify; WSSEC_RC_WHOLE: in is NULL and needed, the verdict is an error: call wssec_verify.
 *  WSSEC_RC_INTERNAL also when in has not as many octets as were fed */
WSSEC_API int wssec_verify_finish(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_when *t,
                                  const struct wssec_resolver *r, const struct wssec_replay *c) WSSEC_MUST_CHECK;

/** One file that a detached signature may be over. */
struct wssec_file {
    const char *name;
    struct wssec_slice content;
};

struct wssec_container {          /** What a signed container (ASiC-E) holds; all borrowed for the call. */
    struct wssec_slice signature; /**< META-INF/signatures.xml */
    const struct wssec_file *part;
    size_t n_part;       /**< every other file that a reader would take for signed content, each name once */
    const char *message; /**< the part that must be covered; the others must be, too, or be steps of its hash chain */
    struct wssec_slice
        batch_token; /**< a token over batch_stamped[0], a HashChainResult; [1] is its chain, which leads to */
    struct wssec_file batch_stamped[2]; /**< the signature under the name META-INF/signatures.xml; NULL: none */
};

struct wssec_stamped {
    struct wssec_slice token, over;
}; /**< a time-stamp token (RFC 3161, DER) and the octets it claims to be over; NULL: none */

/** Judge the detached XAdES signature of a container: SignedInfo, the digest of every part that it names itself, in a
 * Manifest or through a batch hash chain (http://cyber.ee/hashchain), SignedProperties, the signer as in wssec_verify.
 * What is signed is said by the form, so require-signed, canonicalization and timestamp of p do not count; algorithms,
 * key length, limits and expired-certificate do. v->claimed: SigningTime. Certificates are those of r alone: OCSP and
 * trust lists inside are not looked at. body-not-archived: only the content of the message's Body is missing.
 * attachment-missing: everything that is there is as signed. @param stamp the first SignatureTimeStamp or the batch's,
 * unchecked, of w until its next call; NULL: nobody asks  @return as wssec_verify */
WSSEC_API int wssec_verify_detached(struct wssec_worker *w, const struct wssec_container *in,
                                    const struct wssec_policy *p, const struct wssec_when *t,
                                    const struct wssec_resolver *r, struct wssec_verdict *v, struct wssec_explain *x,
                                    struct wssec_stamped *stamp) WSSEC_MUST_CHECK;

/** The message without our Security header, cut by byte range (the whole soap:Header too if nothing else is in it, and
 *  parts to which an xop:Include in our header gave its octets); every other octet unchanged. v is the pass verdict of
 * the same input. @return WSSEC_RC_OK or an error; out lives until w's next call */
WSSEC_API int wssec_remove_header(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_verdict *v,
                                  struct wssec_output *out) WSSEC_MUST_CHECK;

/* ---- decryption ----------------------------------------------------------------------------------------------- */

/** Open in: decrypt and, with verify, judge it as wssec_verify does, in the order of the Security header: what is
 * encrypted ahead of the first Signature is opened before it is verified, what stands behind it is verified as it came
 * and opened afterwards, where the signature covers it. Without verify everything that our header lists is opened and
 * no signature is looked at. Keys: candidates of r for WSSEC_USE_DECRYPT. out (only on pass): the message with the
 * plaintext in place and without EncryptedKey and ReferenceList in our header, v->security and v->header count in it; a
 * message without anything encrypted comes out as it went in. out lives until w's next wssec_open, so other calls may
 * take it as their input. @return as wssec_verify */
WSSEC_API int wssec_open(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                         const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_replay *c,
                         bool verify, struct wssec_verdict *v, struct wssec_explain *x,
                         struct wssec_output *out) WSSEC_MUST_CHECK;

/* ---- encryption ----------------------------------------------------------------------------------------------- */

struct wssec_encryption { /** What to encrypt and how. Zeroed: the content of Body, attachments, aes256-gcm, rsa-oaep.
                           */
    const char *const *part;
    size_t n_part; /**< Body (its content), Signature, UsernameToken, wsa:X, {ns}local (whole elements),
                        attachments; none: Body and attachments */
    bool complete; /**< attachments with their MIME headers; else their content alone */
    enum wssec_keyref key_reference; /**< NONE: issuer-serial */
    const char *cipher;              /**< aes256-gcm, aes192-gcm, aes128-gcm; NULL: the first */
    const char *transport; /**< rsa-oaep (SHA-256 and MGF1-SHA-256), rsa-oaep-mgf1p (SHA-1); ecdh-es (ConcatKDF with
                              SHA-256, AES key wrap) for P-256, P-384, P-521; x25519 (HKDF); NULL: by the key */
    const char *role;      /**< actor/role URI of a header that is made; NULL: none */
    bool must_understand;
};

/** Encrypt parts of in for the first candidate of r for WSSEC_USE_ENCRYPT: a fresh content key, wrapped in an
 * EncryptedKey that becomes the first child of our Security header (made where none is), so that a receiver opens it
 * first. Octets outside of the parts stay. v and out as for wssec_sign. */
WSSEC_API int wssec_encrypt(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_encryption *e,
                            const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_output *out,
                            struct wssec_verdict *v) WSSEC_MUST_CHECK;

/* ---- signing -------------------------------------------------------------------------------------------------- */

/** Who a message says to come from (UsernameToken), and the proof. */
struct wssec_user {
    const char *name;     /**< as the receiver knows it, at most 255 octets of UTF-8 */
    const char *password; /**< at most 255 octets */
    bool text;            /**< the password itself goes out (over TLS only), else a digest of it */
};

struct wssec_recipe {
    const char *const *part;
    size_t n_part;                   /**< PART words; none: Body, attachments (and Timestamp when timestamp is set) */
    enum wssec_keyref key_reference; /**< NONE: direct */
    bool timestamp;                  /**< make one; implied by a part Timestamp */
    int64_t ttl;                     /**< seconds Created to Expires; 0: 300 */
    const char *signature_algorithm; /**< word ("rsa-sha256"); NULL: by key */
    const char *digest_algorithm;    /**< word; NULL: sha256 */
    bool complete;                   /**< attachments are signed with their MIME headers; else their content alone */
    const char *role;                /**< actor/role URI; NULL: none */
    bool must_understand;
    bool join; /**< the message has a header of this role that wssec_encrypt made: sign into it */
    const struct wssec_slice *confirm; /**< SignatureValues of the request that this message answers: each is confirmed
                                            and signed (WSS 1.1); NULL: none, at most 8 */
    size_t n_confirm;
    const struct wssec_user *user; /**< a UsernameToken is made and signed; NULL: none */
};

/** Sign in: only the Security header (and a soap:Header where none is) is inserted and Id attributes are added; every
 * other octet stays. The key is the first candidate of r for WSSEC_USE_SIGN. v: verdict pass and certificate of the
 * signer, or the reason why not. @return as wssec_verify; out (only on pass) lives until w's next call */
WSSEC_API int wssec_sign(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_recipe *recipe,
                         const struct wssec_when *t, const struct wssec_resolver *r, struct wssec_output *out,
                         struct wssec_verdict *v) WSSEC_MUST_CHECK;
/** SignatureValues (decoded) that the last wssec_sign of w produced: borrowed until w's next call. */
WSSEC_API struct wssec_slice wssec_signature_value(const struct wssec_worker *w);

/* ---- diagnosis ------------------------------------------------------------------------------------------------ */

#define WSSEC_MAX_OUTLINE 64

/** Why a message was refused, in a form that may be given away: names of the profile's own elements, algorithms and key
 *  references; no text, attribute value or element name of the payload. Plain data. */
struct wssec_diagnosis {
    char stack[48];    /**< the sender's software as its habits tell, "" not recognised */
    char evidence[96]; /**< which habit */
    char cause[384];   /**< likely cause and what to do, one or two sentences */
    bool has_created;
    int64_t created_ahead; /**< Created minus now in seconds: how far the sender's clock (or a delay) is away */
    unsigned n_outline;
    char outline[WSSEC_MAX_OUTLINE][112]; /**< elements of our Security header, indented by depth */
    unsigned n_tried;
    struct wssec_tried {
        struct wssec_certificate certificate;
        int64_t not_before;
        bool named;        /**< it fits the key reference of the message */
        char finding[112]; /**< why it did not lead to a pass; "" it did */
    } tried[WSSEC_MAX_CANDIDATES];
};

/** Look at in once more, with the verdict v that wssec_verify gave on it, and fill d. Arguments as for wssec_verify.
 *  @return WSSEC_RC_OK, also when the message cannot be parsed (d then holds what can be said); else an error of ours
 */
WSSEC_API int wssec_diagnose(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                             const struct wssec_when *t, const struct wssec_resolver *r, const struct wssec_verdict *v,
                             struct wssec_diagnosis *d) WSSEC_MUST_CHECK;

/* ---- names ---------------------------------------------------------------------------------------------------- */

/** Namespace and local name of an element; both "" where there is none, or one too long to be asked for. */
struct wssec_name {
    char ns[256], local[128];
};
struct wssec_names {
    enum wssec_reason reason; /**< OK; else the document is not taken and has no names */
    char detail[384];
    struct wssec_name root;
    struct wssec_name payload; /**< first element in the Body of a SOAP envelope */
    struct wssec_name fault;   /**< when that is a Fault: its faultcode, or the innermost Subcode's Value */
};

/** What any document calls itself, under the limits and encodings of p: nothing of it is judged.
 *  @return WSSEC_RC_OK, see names->reason; else an error of ours */
WSSEC_API int wssec_names(struct wssec_worker *w, const struct wssec_input *in, const struct wssec_policy *p,
                          struct wssec_names *names) WSSEC_MUST_CHECK;

/* ---- faults, records ------------------------------------------------------------------------------------------ */

/** The SOAP fault that answers v, in SOAP version v->soap (0: 1.1), standard text only, fault_id in detail.
 *  @return octets written without NUL, 0: buffer too small (2048 always suffices) */
WSSEC_API size_t wssec_fault(const struct wssec_verdict *v, const char *fault_id, char *out, size_t outsize);
/** HTTP status of that fault: 500, 400 for a SOAP 1.2 Sender fault, 502 when the refused message was a response. */
WSSEC_API int wssec_fault_status(const struct wssec_verdict *v, bool response);
/** The fields of the result record (JSON object members without braces, so that callers add loc, partner, us).
 *  @return malloc'ed text, NULL: no memory */
WSSEC_API char *wssec_verdict_json(const struct wssec_verdict *v);

#ifdef __cplusplus
}
#endif
#endif
