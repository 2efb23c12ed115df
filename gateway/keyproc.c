/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyproc.c: the keys process and its keeper. The keeper does nothing but start a keys process and wait: it has no
 * threads, so it may fork at any time. The keys process opens the keystore for itself and answers on the socket, one
 * thread for each connection of the gateway process.
 */
#include "gateway/keyproc.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "gateway/sandbox.h"

#define BACKOFF_FIRST_US 20000u
#define BACKOFF_MOST_US  2000000u
#define STABLE_US        INT64_C(10000000)

struct keys {
    ks_store *store;
    pthread_mutex_t lock; /* of store and snapshot */
    const ks_snapshot *snapshot;
};

struct answering { /* one connection */
    struct keys *keys;
    int fd;
};

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* The entry as stored now; what the snapshot does not know may be newer than it. @return reference in *held */
static EVP_PKEY *find(struct keys *k, const char *alias, unsigned n, const ks_snapshot **held)
{
    EVP_PKEY *key = NULL;
    cs_error e = {0};
    pthread_mutex_lock(&k->lock);
    for (int round = 0; round < 2 && key == NULL; round++) {
        const ks_entry *entry = k->snapshot != NULL ? ks_entry_find(k->snapshot, alias, n) : NULL;
        key = entry != NULL ? ks_entry_private_key(entry) : NULL;
        const ks_snapshot *newer = NULL;
        if (key == NULL && round == 0 && ks_snapshot_read(k->store, cs_clock_now(), &newer, &e) == 0) {
            if (k->snapshot != NULL) {
                ks_snapshot_release(k->snapshot);
            }
            k->snapshot = newer;
        }
    }
    *held = key != NULL ? ks_snapshot_ref(k->snapshot) : NULL;
    pthread_mutex_unlock(&k->lock);
    if (key == NULL) {
        cs_log(CS_LOG_WARN, "key-unavailable", "the keys process has no such key", CS_STR("alias", alias),
               CS_INT("n", n), CS_STR("why", e.text));
    }
    return key;
}

/* The other's public key on the curve of key, checked by OpenSSL to be on it. NULL: it is none */
static EVP_PKEY *other_of(EVP_PKEY *key, const struct keyproc_question *q)
{
    EVP_PKEY *other = EVP_PKEY_new();
    if (other != NULL && (EVP_PKEY_copy_parameters(other, key) != 1 ||
                          EVP_PKEY_set1_encoded_public_key(other, q->data, q->octets) != 1)) {
        EVP_PKEY_free(other);
        other = NULL;
    }
    return other;
}

static int32_t agree(EVP_PKEY *key, const struct keyproc_question *q, uint8_t out[KEYPROC_OCTETS])
{
    size_t n = KEYPROC_OCTETS;
    EVP_PKEY *other = other_of(key, q);
    EVP_PKEY_CTX *ctx = other != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool made = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, other) == 1 &&
                EVP_PKEY_derive(ctx, out, &n) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(other);
    return made ? (int32_t)n : -1;
}

/* @return octets, -1: the key cannot do it */
static int32_t operate(EVP_PKEY *key, const struct keyproc_question *q, uint8_t out[KEYPROC_OCTETS])
{
    size_t n = KEYPROC_OCTETS;
    int32_t made = -1;
    int kind = EVP_PKEY_get_base_id(key);
    EVP_PKEY_CTX *ctx = EVP_PKEY_get_size(key) <= KEYPROC_OCTETS ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (ctx == NULL) {
        return -1;
    }
    switch (q->op) {
    case KEYPROC_RSA_SIGN:
        if (kind == EVP_PKEY_RSA && EVP_PKEY_sign_init(ctx) == 1 &&
            EVP_PKEY_CTX_set_rsa_padding(ctx, q->padding) == 1 &&
            EVP_PKEY_sign(ctx, out, &n, q->data, q->octets) == 1) {
            made = (int32_t)n;
        }
        break;
    case KEYPROC_RSA_DECRYPT:
        if (kind == EVP_PKEY_RSA && EVP_PKEY_decrypt_init(ctx) == 1 &&
            EVP_PKEY_CTX_set_rsa_padding(ctx, q->padding) == 1 &&
            EVP_PKEY_decrypt(ctx, out, &n, q->data, q->octets) == 1) {
            made = (int32_t)n;
        }
        break;
    case KEYPROC_EC_SIGN:
        if (kind == EVP_PKEY_EC && EVP_PKEY_sign_init(ctx) == 1 &&
            EVP_PKEY_sign(ctx, out, &n, q->data, q->octets) == 1) {
            made = (int32_t)n;
        }
        break;
    case KEYPROC_EC_AGREE: made = kind == EVP_PKEY_EC ? agree(key, q, out) : -1; break;
    default: break;
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return made;
}

static bool well_formed(const struct keyproc_question *q, ssize_t n)
{
    return n == (ssize_t)sizeof *q && q->magic == KEYPROC_MAGIC && q->octets <= sizeof q->data &&
           memchr(q->alias, '\0', sizeof q->alias) != NULL &&
           (q->padding == 0 || q->padding == RSA_PKCS1_PADDING || q->padding == RSA_NO_PADDING);
}

static void *answer_all(void *ctx)
{
    struct answering *a = ctx;
    struct keyproc_question q;
    struct keyproc_answer answer;
    for (;;) {
        ssize_t n = recv(a->fd, &q, sizeof q, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || !well_formed(&q, n)) {
            break; /* gone, or it speaks another language */
        }
        const ks_snapshot *held = NULL;
        answer = (struct keyproc_answer){.magic = KEYPROC_MAGIC, .octets = -1};
        EVP_PKEY *key = find(a->keys, q.alias, q.n, &held);
        if (key != NULL) {
            answer.octets = operate(key, &q, answer.data);
            ks_snapshot_release(held);
        }
        n = send(a->fd, &answer, sizeof answer, MSG_NOSIGNAL);
        OPENSSL_cleanse(&answer, sizeof answer);
        OPENSSL_cleanse(&q, sizeof q);
        if (n != (ssize_t)sizeof answer) {
            break;
        }
    }
    close(a->fd);
    free(a);
    return NULL;
}

/* ---- the process ------------------------------------------------------------------------------------------------- */

static bool is_asker(int fd, pid_t asker)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.pid == asker && who.uid == geteuid();
}

static void serve(struct keys *k, int fd, pid_t asker)
{
    pthread_attr_t detached;
    if (pthread_attr_init(&detached) != 0 || pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) != 0) {
        return;
    }
    for (;;) {
        pthread_t thread;
        int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        sandbox_tell();
        if (got < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (got < 0) {
            cs_log(CS_LOG_ERROR, "keys", "the keys process cannot accept", CS_STR("why", strerror(errno)));
            return;
        }
        struct answering *a = is_asker(got, asker) ? calloc(1, sizeof *a) : NULL;
        if (a != NULL) {
            *a = (struct answering){k, got};
        }
        if (a == NULL || pthread_create(&thread, &detached, answer_all, a) != 0) {
            close(got);
            free(a);
        }
    }
}

static void __attribute__((noreturn)) run(int fd, pid_t asker, const struct gw_settings *settings)
{
    struct keys k = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ks_options mine = settings->keystore;
    cs_error e = {0};
    mine.read_only = true;
    mine.lend = NULL;
    (void)prctl(PR_SET_NAME, "countersign-key");
    if (ks_open(&k.store, settings->keystore_uri, &mine, &e) != 0 ||
        ks_snapshot_read(k.store, cs_clock_now(), &k.snapshot, &e) != 0) {
        cs_log(CS_LOG_ERROR, "keys", "the keys process cannot read the keystore", CS_STR("why", e.text));
        _exit(e.exit_code);
    }
    if (sandbox_keys(settings, &e) != 0) {
        cs_log(CS_LOG_ERROR, "keys", "the keys process cannot confine itself", CS_STR("why", e.text));
        _exit(e.exit_code);
    }
    cs_log(CS_LOG_INFO, "keys", "the keys process answers", CS_INT("generation", ks_snapshot_generation(k.snapshot)));
    serve(&k, fd, asker);
    _exit(CS_EXIT_INTERNAL);
}

/* A child of this one ends with it. @return in the child 0, else its pid or -1 */
static pid_t child_of(pid_t parent)
{
    pid_t pid = fork();
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
        _exit(CS_EXIT_INTERNAL); /* too late: the parent is gone already */
    }
    return pid;
}

void keyproc_keep(int fd, pid_t asker, const struct gw_settings *settings)
{
    static const int passed[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
    sigset_t none;
    unsigned backoff = BACKOFF_FIRST_US;
    pid_t self = getpid();
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* The gateway ends us, behind its last message: what a terminal or a service manager sends to all of us does not.
     */
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        (void)signal(passed[i], SIG_IGN);
    }
    (void)prctl(PR_SET_NAME, "countersign-kpr");
    for (;;) {
        int64_t from = cs_clock_mono_us();
        int status = 0;
        pid_t pid = child_of(self);
        if (pid == 0) {
            run(fd, asker, settings);
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        cs_log(CS_LOG_ERROR, "keys-died", "the keys process has died; another one is started",
               CS_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
               CS_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
        backoff = cs_clock_mono_us() - from > STABLE_US ? BACKOFF_FIRST_US : backoff;
        (void)usleep(backoff);
        backoff = backoff * 2 < BACKOFF_MOST_US ? backoff * 2 : BACKOFF_MOST_US;
    }
}
