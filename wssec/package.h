/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package.h: a message that comes as a MIME package: its SOAP part for the judges of XML, its attachments for
 * references and Includes. A plain message is a package without attachments. What leaves is the package as it came but
 * for the octets of the SOAP part that were edited.
 */
#ifndef WSSEC_PACKAGE_H
#define WSSEC_PACKAGE_H

#include <libxml/tree.h>

#include "wssec/canon.h"
#include "wssec/mime.h"
#include "wssec/policy.h"
#include "wssec/refusal.h"

#define WSSEC_XOP_MARK 48 /* octets (33 of key, 15 digits) of the text that stands in place of an Include */

struct wssec_include { /** An xop:Include of the message, replaced in the tree. */
    size_t part;
    const xmlNode *text;           /**< what stands in its place */
    char mark[WSSEC_XOP_MARK + 1]; /**< "" when the base64 itself stands there */
};

struct wssec_edition;

struct wssec_package {            /** Of one worker: zeroed before the first use; buffers are kept. */
    struct wssec_mime mime;       /**< n_part 0: a plain message */
    const struct wssec_input *in; /**< as received; borrowed for the call */
    struct wssec_input root;      /**< its SOAP part; the whole of it when it is plain */
    struct wssec_range root_at;   /**< where that stands in in */
    bool wrapped;                 /**< octets stand around the SOAP part */
    char key[WSSEC_XOP_MARK];     /**< how every mark begins */
    struct wssec_include *include;
    size_t n_include, cap_include;
    /* owned */
    struct wssec_slice *slice;
    size_t cap_slice;
    struct wssec_edition *edition[2];
    unsigned side;
    const struct wssec_room *room; /**< borrowed: where large octets may lie; NULL: in memory */
    struct wssec_slice *piece[2];  /**< of the last answer, in turn: it may be the next call's input */
    size_t cap_piece[2];
};

/** Find the SOAP part of in, which is borrowed. Every call of the library begins here. @return WSSEC_RC_OK, see
 *  why->reason; WSSEC_RC_NOMEM */
int wssec_package_open(struct wssec_package *k, const struct wssec_input *in, const struct wssec_limits *limits,
                       struct wssec_refusal *why) WSSEC_MUST_CHECK;
void wssec_package_free(struct wssec_package *k);
/** The message at hand is plain. */
void wssec_package_none(struct wssec_package *k);
/** Put the new octets of the SOAP part (out) into the package as it came; a Content-Length of that part goes.
 *  @return WSSEC_RC_OK; WSSEC_RC_NOMEM */
int wssec_package_wrap(struct wssec_package *k, struct wssec_output *out) WSSEC_MUST_CHECK;
/** Ranges of v, which count the octets of the SOAP part, count those of the package from here on. octets: of the new
 * SOAP part that wssec_package_wrap puts in; SIZE_MAX: it is as it came. */
void wssec_package_show(const struct wssec_package *k, struct wssec_verdict *v, size_t octets);

/* package_edit.c */
/** One attachment that gives way to another. */
struct wssec_part_edit {
    size_t part;
    cs_buf header;              /**< taken: fields with line ends */
    cs_buf heap;                /**< taken: where content lies, unless that is the caller's room */
    struct wssec_slice content; /**< octets, in no transfer encoding */
};
/** Put the new parts (sorted by part) in the place of the old ones. k->in and everything found in it is the new package
 *  from here on, and lives until the call after the next. @return WSSEC_RC_OK, see why->reason; WSSEC_RC_NOMEM */
int wssec_package_replace(struct wssec_package *k, const struct wssec_limits *limits, struct wssec_part_edit *edit,
                          size_t n, struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Give the octets that an attachment means to a sink. @return as above; WSSEC_RC_INTERNAL: the sink said stop */
int wssec_attachment_pass(const struct wssec_package *k, size_t part, wssec_mime_sink sink, void *ctx,
                          struct wssec_refusal *why) WSSEC_MUST_CHECK;
/** Octets of an attachment as it stands: it does not mean more. */
size_t wssec_attachment_most(const struct wssec_package *k, size_t part);
/** Room for n octets of a new attachment: the caller's where it gives some and they are many, else heap's.
 *  @return NULL: there is none */
uint8_t *wssec_attachment_room(const struct wssec_package *k, size_t n, cs_buf *heap);
void wssec_part_edit_free(struct wssec_part_edit *e);
/** The header fields of an attachment but for those named (NULL at the end), added to out. @return WSSEC_RC_OK,
 *  WSSEC_RC_NOMEM */
int wssec_attachment_fields(const struct wssec_package *k, size_t part, const char *const *without,
                            cs_buf *out) WSSEC_MUST_CHECK;
void wssec_edition_free(struct wssec_edition *e);

/** How an attachment is digested (SwA profile 1.1, section 5.3). */
enum wssec_attachment_form {
    WSSEC_ATTACHMENT_CONTENT,        /**< its content, canonicalised by its media type */
    WSSEC_ATTACHMENT_COMPLETE,       /**< with its MIME header in front */
    WSSEC_ATTACHMENT_COMPLETE_SPACED /**< the same as other stacks write it: with an empty line between */
};

/* attachment.c */
struct wssec_worker;
/** Give the octets of an attachment of worker's package that a signature covers. @return WSSEC_RC_OK, see why->reason;
 *  WSSEC_RC_NOMEM; WSSEC_RC_INTERNAL: the sink said stop */
int wssec_attachment_write(struct wssec_worker *worker, const struct wssec_policy *p, size_t part,
                           enum wssec_attachment_form form, wssec_canon_sink sink, void *ctx,
                           struct wssec_refusal *why) WSSEC_MUST_CHECK;

#endif
