/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c: see answer.h. */
#include "gateway/answer.h"

#include <string.h>

#include "gateway/exchange.h"
#include "gateway/gateway_private.h"
#include "gateway/plain.h"

#define WSSE "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"

/* Faults of the profile's chapter 12 that concern token or signature; that a message is late is not among them. The
 * last row is what CXF and others with WSS4J say in the place of all of these. */
static const struct {
    const char *ns, *local;
} refusing[] = {
    {WSSE, "FailedCheck"},
    {WSSE, "InvalidSecurityToken"},
    {WSSE, "InvalidSecurity"},
    {WSSE, "FailedAuthentication"},
    {WSSE, "SecurityTokenUnavailable"},
    {WSSE, "UnsupportedSecurityToken"},
    {WSSE, "UnsupportedAlgorithm"},
    {"http://ws.apache.org/wss4j", "SecurityError"},
};

bool answer_fault_refuses(const struct wssec_name *fault)
{
    for (size_t i = 0; i < sizeof refusing / sizeof refusing[0]; i++) {
        if (strcmp(fault->local, refusing[i].local) == 0 && strcmp(fault->ns, refusing[i].ns) == 0) {
            return true;
        }
    }
    return false;
}

/* Does an HTTP status without a fault say so? */
static bool status_refuses(int status)
{
    return status == 401 || status == 403;
}

bool answer_matters(const struct exchange *ex)
{
    const struct job *j = ex->request_job;
    return j != NULL && j->signed_n != 0 && ex->upstream_status >= 400 && ex->reply_octets > 0 &&
           ex->reply_octets <= ANSWER_MAX && ks_share_set(j->runtime->snapshot, ex->route->conf->request.sign_alias) &&
           plain_type_is_soap(http1_field_value(http1_head(ex->reply_parser), "Content-Type"));
}

/* By a certificate whose name was looked at, or a signature. */
static bool proven(const struct exchange *ex)
{
    const struct job *j = ex->reply_job;
    return ex->reply_over_tls || (j != NULL && j->judged && j->verdict.verdict == WSSEC_PASS);
}

bool answer_may_repeat(const struct exchange *ex)
{
    const struct gw_actions *a = &ex->route->conf->request;
    return answer_matters(ex) && ex->request_job->signed_trial && a->partner == NULL && !a->crypt.decrypt &&
           !ex->client_gone;
}

bool answer_repeats(const struct exchange *ex)
{
    return ex->may_repeat && ex->reply_job->refuses && proven(ex) && !ex->client_gone;
}

static bool believed(const struct exchange *ex)
{
    return ex->route->conf->response.partner == NULL || proven(ex);
}

void answer_count(const struct exchange *ex)
{
    const struct job *j = ex->request_job;
    if (j != NULL && j->signed_n != 0 && ex->upstream_status != 0) {
        bool refuses = status_refuses(ex->upstream_status) || (ex->reply_job != NULL && ex->reply_job->refuses);
        ks_signed_answer(j->runtime->snapshot, ex->route->conf->request.sign_alias, j->signed_n,
                         refuses && believed(ex));
    }
}
