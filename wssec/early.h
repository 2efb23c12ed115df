/* SPDX-License-Identifier: Apache-2.0 */
/*
 * early.h: a look at the header of a large message before its Body is read, so that a forged signature costs its sender
 * more than us.
 */
#ifndef WSSEC_EARLY_H
#define WSSEC_EARLY_H

#include "base/buffer.h"
#include "wssec/wssec.h"

/**
 * Make out the same message without the content of its Body: its octets up to and with the Body's start tag, then the
 * end tags of Body and Envelope. Nothing is judged here, the result goes through the same steps as a message. Where it
 * is well-formed, the whole message, if it is well-formed, has the same Header and the same Body start tag: what XML
 * has read does not change by what follows. @return false: the message is small or not of that shape, or no memory
 */
bool wssec_early_text(const struct wssec_input *in, cs_buf *out);

#endif
