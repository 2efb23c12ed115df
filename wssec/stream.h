/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h: the one-pass engine. The header is judged as a tree, from the text that wssec_early_text cuts out; the
 * content of Body is then read once, canonicalised and digested as it goes by, and never built. Whatever this engine
 * does not know for sure is not its own: the tree engine judges that message, from the beginning.
 */
#ifndef WSSEC_STREAM_H
#define WSSEC_STREAM_H

#include "wssec/build.h"
#include "wssec/dom.h"
#include "wssec/reader.h"

#define WSSEC_SUMS 8 /* digests of Body at a time */

struct wssec_sum {  /** One digest of Body. */
    EVP_MD_CTX *md; /**< owned, made when first needed */
    const struct wssec_digest_alg *alg;
    unsigned emitter;
    uint8_t value[EVP_MAX_MD_SIZE];
};

struct wssec_stream { /** Of one worker; its buffers are kept. */
    struct wssec_walk walk;
    struct wssec_reader reader;
    struct wssec_builder builder;
    struct wssec_emitter emitter[WSSEC_EMITTERS];
    xmlChar **prefix[WSSEC_EMITTERS];
    unsigned n_emitter;
    struct wssec_sum sum[WSSEC_SUMS];
    unsigned n_sum;
    struct wssec_asked asked;
    struct stream_id { /**< a strict id inside Body */
        struct wssec_slice value;
        uint64_t number;
    } * id;
    size_t n_id, cap_id;
    struct wssec_judge *judge;
    bool hash;         /**< what comes by is digested */
    struct wssec_tee { /**< what comes out of one emitter, into the digests that take it */
        struct wssec_stream *stream;
        unsigned emitter;
    } tee[WSSEC_EMITTERS];
    const char *cause;        /**< why the message is not this engine's own; NULL: it is */
    enum wssec_reason reason; /**< what it would be refused for if no tree can be built of it; WSSEC_OK: not known */
};

/** The worker's stream, made when first needed, ready for a new message. NULL: no memory */
struct wssec_stream *wssec_stream_begin(struct wssec_worker *w) WSSEC_MUST_CHECK;
void wssec_stream_free(struct wssec_stream *s);
/** The message is not this engine's own; the first cause stays. @return WSSEC_RC_OK */
int wssec_stream_pass_on(struct wssec_stream *s, enum wssec_reason reason, const char *cause);
/** Have a digest of Body made of what wssec_stream_body_feed takes, by exclusive canonicalization with the list of
 * prefixes (borrowed; NULL: none). @return WSSEC_RC_OK, see s->cause; WSSEC_RC_NOMEM */
int wssec_stream_note(struct wssec_stream *s, const struct wssec_digest_alg *alg, xmlChar **prefix) WSSEC_MUST_CHECK;
/** That digest. NULL: it was not noted */
const uint8_t *wssec_stream_digest(const struct wssec_stream *s, const struct wssec_digest_alg *alg, xmlChar **prefix);
/** Digest what s references in the header, and note what it references of Body. source as of wssec_dom_references,
 *  Body's not judged yet. @return WSSEC_RC_OK, see j->why and s->cause; else an error of ours */
int wssec_stream_references(struct wssec_judge *j, struct wssec_stream *s, const struct wssec_siginfo *info,
                            const struct wssec_signer *signer, struct wssec_source *source) WSSEC_MUST_CHECK;
/** The content of Body comes next; hash: digest what was noted. @return WSSEC_RC_OK, see s->cause; else an error of
 *  ours */
int wssec_stream_body_begin(struct wssec_judge *j, struct wssec_stream *s, bool hash) WSSEC_MUST_CHECK;
/** The octets behind the start tag of Body, in pieces of any length. @return as above */
int wssec_stream_body_feed(struct wssec_stream *s, const uint8_t *p, size_t n) WSSEC_MUST_CHECK;
/** ... what in holds from that octet on. */
int wssec_stream_body_rest(struct wssec_stream *s, const struct wssec_input *in, size_t from) WSSEC_MUST_CHECK;
/** Nothing follows. from: octets in front of what was fed. Fills what Body tells of the message. @return as above */
int wssec_stream_body_end(struct wssec_judge *j, struct wssec_stream *s, size_t from) WSSEC_MUST_CHECK;
/** All three, over j->input. */
int wssec_stream_body(struct wssec_judge *j, struct wssec_stream *s, size_t from, bool hash) WSSEC_MUST_CHECK;
/** Compare the digests of Body, then demand that every reference was found good. Fills j->why. */
void wssec_stream_compare(struct wssec_judge *j, const struct wssec_stream *s, const struct wssec_siginfo *info,
                          struct wssec_source *source);

#endif
