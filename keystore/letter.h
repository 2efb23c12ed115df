/* SPDX-License-Identifier: Apache-2.0 */
/* letter.h: what a notice says: its subject and its text, from the fact, the entry that it is about, and the time. */
#ifndef KS_LETTER_H
#define KS_LETTER_H

#include "keystore/mail.h"
#include "keystore/notice_store.h"

/** One delivery on its way; all zero before. */
struct ks_mailing {
    struct ks_delivery d;
    ks_info info; /**< the entry as it is now; n 0: none */
    char subject[2 * KS_FULL_NAME + KS_SUBJECT];
    cs_buf body;
    cs_buf opt_out; /**< the link that takes the subscriber off the list; empty: there is none */
    char *pem;      /**< owned; NULL: nothing is attached */
};

/** Subject and body of what d and info say; for the webhook the subject alone. */
int ks_letter_compose(ks_store *s, const ks_mail *mail, struct ks_mailing *m, cs_time now, bool subject_alone,
                      cs_error *e) CS_MUST_CHECK;

#endif
