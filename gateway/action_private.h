/* SPDX-License-Identifier: Apache-2.0 */
/* action_private.h: what the files of one action share. All on the worker's thread, with a job that is the worker's. */
#ifndef GW_ACTION_PRIVATE_H
#define GW_ACTION_PRIVATE_H

#include "gateway/action.h"

/** The result: refused, or an error of ours. */
void job_fail(struct job *j, enum wssec_reason reason, const char *detail);
/** Replace the message of the job by what an action made of it (copied where the worker only lends it). @return 0, or
 *  -1: no memory, the message stays as it is */
int job_output_take(struct job *j, const struct wssec_output *made) CS_MUST_CHECK;
/** The reason that stands for a return code of libwssec other than WSSEC_RC_OK. */
enum wssec_reason action_reason(int rc);
/** Does HTTP call the request what its message calls itself? @return WSSEC_RC_OK with *good, and detail when it does
 *  not; else an error of ours */
int action_names_judge(struct job *j, struct wssec_worker *w, bool *good, char detail[384]);

/* One step each. @return true: go on with the next one; false: the result says why not */

/** Verify as the partner of a, decrypting first where a says so. The verdict stays in the job. */
bool action_verify(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now);
/** Decryption alone. */
bool action_decrypt(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now);
/** Take our Security header away. */
bool action_remove(struct job *j, struct wssec_worker *w);
/** Sign and encrypt as they are written: what stands first is inside. */
bool action_make(struct job *j, struct wssec_worker *w, const struct gw_actions *a, cs_time now);

#endif
