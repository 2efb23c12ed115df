/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollover.h: the exchange of the certificate of a slot under way: which runbook it follows, where it stands, who is to
 * do what next. Steps close by evidence that the keystore has, by a word of whom they are for, or not at all. As
 * keystore.h: a ks_store belongs to one thread, every decision takes now, 0 or -1 with the error filled.
 */
#ifndef KS_ROLLOVER_H
#define KS_ROLLOVER_H

#include "keystore/link.h"
#include "keystore/refused.h"
#include "keystore/rollover_store.h"
#include "keystore/runbook.h"

#define KS_ROLL_NAME    32
#define KS_ROLL_ROUTES  32
#define KS_ROLL_SENDERS 64
#define KS_ROLL_READY_S 3600                   /* so long before an agreed instant senders are to be ready */
#define KS_ANYBODY      ((1U << KS_PARTS) - 1) /* roles of a caller where no operators are named */

/** A step as it stands. */
struct ks_roll_step {
    struct ks_step_row row; /**< as stored; its state is "" where nothing is stored */
    char evidence[320];     /**< what closed it */
    size_t told, sent;      /**< mails of the step: queued, and gone out */
};

/** A sender who said that a step is done. */
struct ks_roll_word {
    size_t place; /**< of the step */
    char sender[KS_WORD], by[64];
    cs_time at;
};

/** A roll-over as it stands at an instant. Read only; freed with ks_rollover_free. */
struct ks_rollover {
    struct ks_roll_row row;  /**< its text stands in runbook */
    char name[KS_ROLL_NAME]; /**< "R-17" */
    char partner[KS_WORD];   /**< whose contacts are told; "" nobody's */
    struct ks_runbook *runbook;
    bool has_old, has_new;
    bool planned; /**< the new one is to be activated at an instant, be it the agreed one or not */
    ks_info old_info, new_info;
    int64_t stored_new;                  /**< new_entry as stored: the row's may have been found just now */
    char route[KS_ROLL_ROUTES][KS_WORD]; /**< that use the slot on a node */
    size_t n_route;
    char sender[KS_ROLL_SENDERS][KS_WORD]; /**< partners of whom each is asked, where a step says so */
    size_t n_sender;
    struct ks_denials denied;  /**< of a listener's certificate: who does not trust the new one */
    struct ks_roll_word *word; /**< owned: what senders said */
    size_t n_word;
    struct ks_facts facts;
    struct ks_step_known known[KS_STEPS_MAX];
    struct ks_step_judged judged[KS_STEPS_MAX];
    struct ks_roll_step step[KS_STEPS_MAX]; /**< runbook->n of them */
    bool complete;                          /**< nothing is left to be done */
};
void ks_rollover_free(struct ks_rollover *r);

/** "R-17", "r-17", "17", or a step of it ("R-17/3"). @return its number, 0: no such text */
int64_t ks_rollover_number(const char *text);

struct ks_roll_request {
    const struct ks_runbook *runbook;
    const char *alias;
    const char *partner;            /**< whose contacts; NULL: the slot's, or that of its routes */
    cs_time window_from, window_to; /**< 0: not said */
    bool stay_held;                 /**< at the end of an overrun window: no rollback, an alarm */
    bool release_by_hand;           /**< routes are let go by a person, not by the keeper */
    bool require_all;               /**< no exchange at its instant while a sender did not say that he is ready */
};
/** Begin. Another one of the slot is open: G13, exit 10; unknown slot, another role, no active entry, no window where
 *  one is needed: 64. out (may be NULL): as it stands then; a dry run judges and writes nothing */
int ks_rollover_start(ks_store *s, const struct ks_roll_request *q, bool dry_run, const ks_actor *who, cs_time now,
                      struct ks_rollover **out, cs_error *e) CS_MUST_CHECK;
/** Several at once, all of them or none. out: n places, one for each; NULL in a dry run */
int ks_rollover_start_all(ks_store *s, const struct ks_roll_request *q, size_t n, bool dry_run, const ks_actor *who,
                          cs_time now, struct ks_rollover **out, cs_error *e) CS_MUST_CHECK;
/** A slot whose active certificate holds some key. */
struct ks_roll_slot {
    char alias[KS_WORD];
    enum ks_role role;
};
/** Those of a key, by alias; there is none: 64. *out is the caller's, to be freed. */
int ks_rollover_slots(ks_store *s, const uint8_t spki_sha256[32], struct ks_roll_slot **out, size_t *n,
                      cs_error *e) CS_MUST_CHECK;
#define KS_ROLL_SHARED 64
/** Other open ones whose old certificate has the same key: "R-2 of own-sign, R-3 of …", "" none. */
int ks_rollover_shared(ks_store *s, const struct ks_rollover *r, char *text, size_t size, cs_error *e) CS_MUST_CHECK;
/** As it stands. Unknown: 64 */
int ks_rollover_read(ks_store *s, int64_t id, cs_time now, struct ks_rollover **out, cs_error *e) CS_MUST_CHECK;
typedef int ks_visit_rollover(void *ctx, const struct ks_roll_row *row, cs_error *e);
/** All of them by number; open: those under way. */
int ks_rollover_each(ks_store *s, bool open, ks_visit_rollover *visit, void *ctx, cs_error *e) CS_MUST_CHECK;

/** Write down what its evidence closes, tell those whose turn it is. *changed: something was written */
int ks_rollover_advance(ks_store *s, int64_t id, const ks_actor *who, cs_time now, bool *changed,
                        cs_error *e) CS_MUST_CHECK;

/** Somebody says that a step is done: "4", or of a step that each sender closes for himself "4/acme". roles: the
 *  caller's. note: what he was told by whom, for an outside role.
 *  Not open, closed already, not its turn: 12; another role: 10; a step that no word closes: 64. */
int ks_rollover_confirm(ks_store *s, int64_t id, const char *step, unsigned roles, const char *note, bool dry_run,
                        const ks_actor *who, cs_time now, cs_error *e) CS_MUST_CHECK;
/** Carry out the commands of a ready step. place: of the step. Refused by a guard: out filled, exit 10. */
int ks_rollover_run(ks_store *s, const struct ks_rollover *r, size_t place, bool dry_run, const ks_actor *who,
                    cs_time now, ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** The ready step whose command is the next one, r->runbook->n: there is none. roles: of the caller */
size_t ks_rollover_next(const struct ks_rollover *r, unsigned roles);
/** Undo what can be undone, the last step first, and end it. What the other side uses already stays accepted (a note of
 *  out says so). *kept: the first step behind which only forward is left,
 *  "" none. All closed with no return behind them: 12. */
int ks_rollover_abort(ks_store *s, int64_t id, bool dry_run, const ks_actor *who, cs_time now, char kept[KS_STEP_NAME],
                      ks_outcome *out, cs_error *e) CS_MUST_CHECK;
/** Move the span. Over already, or to the past: 64. What was agreed for the old one does not count any more. */
int ks_rollover_window(ks_store *s, int64_t id, cs_time from, cs_time to, bool dry_run, const ks_actor *who,
                       cs_time now, cs_error *e) CS_MUST_CHECK;

/** Was it begun with that setting: "stay-held", "release-by-hand", "require-all"? */
bool ks_rollover_setting(const struct ks_rollover *r, const char *word);

/** Does its runbook put routes on hold? */
bool ks_rollover_holds(const struct ks_rollover *r);
/** What is to be done should be done by *at. @return what is then ("the old certificate ends"); NULL: nothing presses
 */
const char *ks_rollover_deadline(const struct ks_rollover *r, cs_time now, cs_time *at);
/** Is the step of that place carried out by the keeper when its turn has come? */
bool ks_rollover_by_itself(const struct ks_rollover *r, size_t place);

/** Text with everything in {{ }} filled in. */
int ks_rollover_text(ks_store *s, const struct ks_rollover *r, const char *text, cs_buf *out,
                     cs_error *e) CS_MUST_CHECK;
/** The mail of a step, subject in the first line, as a person sends it by hand. */
int ks_rollover_message(ks_store *s, const struct ks_rollover *r, size_t place, cs_buf *out, cs_error *e) CS_MUST_CHECK;

/* ---- links ----------------------------------------------------------------------------------------------------- */

#define KS_LINK_LASTS (72 * 3600)

/** A token that closes a step once, within 72 h. reference: "R-17/3"; role: whom it is for. Only its hash is stored. */
int ks_link_make(ks_store *s, const char *reference, const char *address, cs_time now, char token[KS_LINK_TOKEN],
                 cs_error *e) CS_MUST_CHECK;
/** What a token is for: as it stands, and the place of its step. Unknown 64, used or expired 12. */
int ks_link_look(ks_store *s, const char *token, cs_time now, struct ks_rollover **out, size_t *place,
                 cs_error *e) CS_MUST_CHECK;
/** Close the step that it is for. */
int ks_link_use(ks_store *s, const char *token, cs_time now, cs_error *e) CS_MUST_CHECK;

/* ---- without a hand -------------------------------------------------------------------------------------------- */

/** All open roll-overs, once: evidence, steps that are done here, spans that begin or are over. Each in transactions of
 *  its own. *next: instant of what is due next; 0: nothing */
int ks_rollover_tick(ks_store *s, bool dry_run, cs_time now, ks_report *report, cs_time *next,
                     cs_error *e) CS_MUST_CHECK;

/** For one that nothing more is done for now: have nodes probe what a step waits for. *next: when to look again; 0:
 *  when the keystore changes */
int ks_rollover_await(ks_store *s, const struct ks_rollover *r, cs_time now, cs_time *next, cs_error *e) CS_MUST_CHECK;

/** At the end of a span, while the other side is not ready: does it take the old certificate back? It is asked by a
 *  probe. @return 1 it does, or it cannot be asked; 0 it refuses it (seen: who says so); 2 nothing was heard yet: look
 *  again soon; -1 */
int ks_rollover_way_back(ks_store *s, const struct ks_rollover *r, cs_time now, ks_probe_said *seen,
                         cs_error *e) CS_MUST_CHECK;

/* ---- shared by the files of the engine ------------------------------------------------------------------------- */

/** Fill facts, routes and partner of r, whose entries are read. Within the caller's transaction. */
int ks_rollover_facts(ks_store *s, struct ks_rollover *r, cs_time now, cs_error *e) CS_MUST_CHECK;
struct ks_record;
/** An audit row about object, {member: text}. */
int ks_rollover_audit(struct ks_record *rec, const char *verb, const char *object, const char *member, const char *text,
                      cs_error *e) CS_MUST_CHECK;
/** Write down what follows from the evidence, until nothing follows any more. *changed: set when something was written
 */
int ks_rollover_settle(struct ks_record *rec, struct ks_rollover *r, bool *changed, cs_error *e) CS_MUST_CHECK;
/** Everything of a row; takes nothing. Within the caller's transaction. */
int ks_rollover_load(ks_store *s, int64_t id, cs_time now, struct ks_rollover **out, cs_error *e) CS_MUST_CHECK;
/** Entries, facts and judgement anew, after something changed. */
int ks_rollover_look(ks_store *s, struct ks_rollover *r, cs_time now, cs_error *e) CS_MUST_CHECK;
/** A mapping that the roll-over is about. */
struct ks_roll_mapping {
    ks_mapping_info info;
    bool user_old, user_new;   /**< of the old or the new certificate: a user */
    bool names_old, names_new; /**< lets in the names of the old or the new one */
    bool answered;             /**< one of the old one for which there is one of the new one in force */
};
struct ks_roll_mappings {
    struct ks_roll_mapping *row; /**< owned */
    size_t n;
};
/** Those of its two entries, by number, ended ones too. */
int ks_rollover_mappings(ks_store *s, const struct ks_rollover *r, struct ks_roll_mappings *out,
                         cs_error *e) CS_MUST_CHECK;
/** Fill the senders of r. Within the caller's transaction. */
int ks_rollover_senders(ks_store *s, struct ks_rollover *r, cs_error *e) CS_MUST_CHECK;
/** Place of the step of "4" or "4/acme", r->runbook->n: there is none. *sender: "acme", or ""; borrowed */
size_t ks_rollover_place(const struct ks_rollover *r, const char *reference, const char **sender);
#define KS_ROLL_REFERENCE (KS_ROLL_NAME + KS_STEP_NUMBER + 2)
/** "R-17/4", or "R-17/4/acme" of a sender ("": none). */
void ks_rollover_reference(const struct ks_rollover *r, size_t place, const char *sender, char out[KS_ROLL_REFERENCE]);
/** Is each sender asked to close it for himself? */
bool ks_rollover_by_sender(const struct ks_rollover *r, size_t place);
/** What a sender said of a step, NULL: nothing yet. */
struct ks_roll_word *ks_rollover_word(const struct ks_rollover *r, size_t place, const char *sender);
int ks_rollover_add_word(struct ks_rollover *r, size_t place, const char *sender, const char *by, cs_time at,
                         cs_error *e) CS_MUST_CHECK;
/** How many senders did not say it yet; names: "beta, gamma", as far as they have room */
size_t ks_rollover_unsaid(const struct ks_rollover *r, size_t place, char *names, size_t size);
/** Senders of whom one did not say yet that he is ready for the exchange: names as above. @return how many */
size_t ks_rollover_unready(const struct ks_rollover *r, char *names, size_t size);
/** How many senders that are known by name refuse the new certificate, while it is in use and the old one can come
 * back.
 */
size_t ks_rollover_denied_named(const struct ks_rollover *r);
/** The activation that was set is taken back, and the step that set it is open again. */
int ks_rollover_unset(ks_store *s, const struct ks_rollover *r, const ks_actor *who, cs_time now,
                      cs_error *e) CS_MUST_CHECK;
/** Tell whom a step is for that its turn has come, within the caller's transaction. */
int ks_rollover_tell(ks_store *s, const struct ks_rollover *r, size_t place, cs_time now, cs_error *e) CS_MUST_CHECK;
/** Does the step tell somebody of the agreed span? Then he hears of it again when the span is moved. */
bool ks_rollover_tells_span(const struct ks_rollover *r, size_t place);
/** Why somebody hears of a step a second time. */
struct ks_reminder {
    cs_time deadline, due_at, now; /**< due_at: instant of the reminder, by which one is told from another */
    const char *until;             /**< what happens at the deadline, before its instant; borrowed */
};
/** Remind whom of an open step it is that acts; another link with it. *made: facts raised, added to. Within the
 *  caller's transaction. */
int ks_rollover_tell_again(ks_store *s, const struct ks_rollover *r, size_t place, const struct ks_reminder *again,
                           size_t *made, cs_error *e) CS_MUST_CHECK;
/** Reminders that are due: 7 days, 1 day and 1 hour before an agreed instant, 30, 14 and 3 days before the old
 *  certificate ends. Its own transaction, begun only when there is one. *made is added to; *next: as ks_rollover_tick
 */
int ks_rollover_remind(ks_store *s, const struct ks_rollover *r, cs_time now, size_t *made, cs_time *next,
                       cs_error *e) CS_MUST_CHECK;
/** One command. out: of the last change that it made */
int ks_rollover_deed(ks_store *s, const struct ks_rollover *r, const char *command, bool dry_run, const ks_actor *who,
                     cs_time now, ks_outcome *out, cs_error *e) CS_MUST_CHECK;

/** Name of the entry ("ack-client#2"); "-" where there is none yet. */
void ks_rollover_entry(const struct ks_rollover *r, bool old, char *out, size_t size);

#endif
