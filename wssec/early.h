/* SPDX-License-Identifier: Apache-2.0 */
/*
 * early.h: the header of a message as a message of its own, so that it can be judged before its Body is read, and a
 * forged signature costs its sender more than us.
 */
#ifndef WSSEC_EARLY_H
#define WSSEC_EARLY_H

#include "base/buffer.h"
#include "wssec/wssec.h"

/**
 * Make out the same message without the content of its Body: its octets up to and with the Body's start tag (*behind
 * octets of in), then the end tags of Body, unless its tag is an
 * empty-element tag, and Envelope. Nothing is judged here, the result goes through the same steps
 * as a message. Where it is well-formed, the whole message, if it is well-formed, has the same Header and the same Body
 * start tag: what XML has read does not change by what follows. @return false: the message is not of that shape, or no
 * memory
 */
bool wssec_early_text(const struct wssec_input *in, cs_buf *out, size_t *behind);
/** So large that reading its header twice is not felt. */
bool wssec_early_large(const struct wssec_input *in);

#endif
