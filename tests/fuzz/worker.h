/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h: a worker and a policy for the life of a fuzz target, with the engine that the environment names. */
#ifndef TESTS_FUZZ_WORKER_H
#define TESTS_FUZZ_WORKER_H

#include <libxml/xmlerror.h>
#include <stdlib.h>

#include "tests/unit/engine.h"

static struct wssec_worker *worker;
static struct wssec_policy *policy;

/* Words may be set in the policy behind it. */
static void worker_begin(void)
{
    char err[200];
    if (wssec_init(&(struct wssec_options){engine_of_environment()}, err, sizeof err) != 0) {
        abort();
    }
    worker = wssec_worker_new();
    policy = wssec_policy_new("fuzz");
    if (worker == NULL || policy == NULL) {
        abort();
    }
    xmlSetGenericErrorFunc(NULL, NULL);
}

static void worker_ready(void)
{
    char err[200];
    if (wssec_policy_freeze(policy, err, sizeof err) < 0) {
        abort();
    }
}

#endif
