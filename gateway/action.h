/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action.h: what is done with one message between its last octet and its way on, in the order verify,
 * remove-security-header, sign. A job carries everything that this needs, so that a worker touches no exchange:
 * when the exchange gives up meanwhile, the late answer is thrown away with the job.
 */
#ifndef GW_ACTION_H
#define GW_ACTION_H

#include <stdatomic.h>

#include "gateway/body.h"
#include "gateway/inflow.h"
#include "gateway/mailbox.h"
#include "gateway/queue.h"
#include "gateway/room.h"
#include "gateway/runtime.h"

struct exchange;

/** The message as it goes on: pieces that point into the job's body or into its room. */
struct output {
    struct wssec_slice *piece;
    size_t n_piece;
    uint64_t octets;
};

struct job {
    struct mail mail;       /**< the way back */
    struct queue_item item; /**< the way to a worker */
    struct gateway *gateway;
    struct loop *home;
    struct exchange *exchange; /**< home's thread only; NULL: nobody waits any more */
    bool response;
    struct runtime *runtime; /**< reference: routes, policies, snapshot for signing */
    const struct plan_route *route;
    const ks_snapshot *newest; /**< reference: the newest when the message was complete, for verification */
    struct body body;          /**< owned while the job is away and afterwards */
    char *content_type;        /**< NULL: none was sent */
    bool over_tls;             /**< how the message came */
    int http_status;           /**< of a reply */
    char sender[KS_SENDER]; /**< who sent the message, for the evidence of use: the client's address, or the upstream's
                               host */
    bool describe;          /**< a service description, no message: only its root is looked at */
    bool weigh;             /**< a reply: whether it refuses our signature is to be found out */
    char unfit[64];         /**< what is wrong with the reply before its body is looked at; monitored routes only */
    bool action_good;       /**< of a request: HTTP names one action, or none */
    char action[256];       /**< that one, "" none */
    char request_id[256];   /**< wsa:MessageID of the request, "" none */
    uint8_t *confirm;       /**< SignatureValue: of our request's signature; for a reply: to be confirmed */
    size_t confirm_n;
    struct inflow *flow;      /**< owned; NULL: the message is judged when it is complete */
    bool feeding;             /**< on the way with a piece of the message, not yet with all of it */
    _Atomic bool unwanted;    /**< nobody waits: a worker that has not begun need not begin */
    _Atomic int64_t begun_us; /**< 0: waits in the queue */
    int64_t ended_us;
    int64_t ahead_us; /**< workers had pieces of it before it was complete */
    cs_buf dump_head; /**< head of the message for the capture; empty: it is not kept */
    char exchange_id[37];
    int64_t received_ms; /**< wall clock; of a message that is kept */
    /* result */
    enum wssec_reason reason; /**< OK: the output may go on */
    char detail[384];
    struct wssec_verdict verdict; /**< of the verification, or of the refused signature */
    bool judged;                  /**< verdict is filled by wssec */
    bool monitored;               /**< refused, but only logged: the received octets go on */
    char signed_with[KS_WORD + 12];
    unsigned signed_n;               /**< its number alone; 0: not signed */
    bool signed_trial;               /**< by a key that is being tried, whose refusal is no end */
    char refused_with[KS_WORD + 12]; /**< what it was signed with at first, which the receiver refused; "" nothing */
    bool refuses;                    /**< the reply refuses our signature, whether it is to be believed or not */
    char encrypted_to[KS_WORD + 12];
    struct output output;
    struct room room; /**< what actions made of the message */
};

/** @return owned by the caller (job_free), NULL: no memory */
struct job *job_new(struct loop *home, struct exchange *ex, bool response);
/** Home's thread. NULL is allowed. */
void job_free(struct job *j);
/** Home's thread: a request that was signed is to be signed again, with the active key. */
void job_sign_again(struct job *j);
/** Home's thread: the message has gone where it should; give its memory back, keep what was found out. NULL is allowed.
 */
void job_release_message(struct job *j);
/** Worker thread: all actions of the job's direction. Fills the result; fails closed. */
void action_run(struct job *j, struct wssec_worker *w);
/** Policy, input and keys of its verification. confirm: room for what the input points to. */
struct wssec_policy *action_policy(const struct job *j);
struct wssec_input action_input(const struct job *j, struct wssec_slice *confirm);
void action_keys(const struct job *j, const ks_snapshot *snapshot, struct wssec_resolver *keys,
                 struct resolver *source);

#endif
