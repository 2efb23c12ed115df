/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyop.c: keys that ask. OpenSSL's own way to have a private operation done elsewhere and everything around it
 * (padding, digests, TLS) here is a method of the RSA or EC key; it is marked as deprecated since providers are to do
 * this one day, and this file alone knows of it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "gateway/keyop.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/keyproc.h"

#define IDLE_MOST       64
#define EC_POINT_OCTETS 133 /* P-521, not compressed */
#define ANSWER_S        5   /* how long an answer may take, a start of the keys process included */

struct keyop {
    pid_t keeper;
    struct sockaddr_un address;
    socklen_t address_n;
    RSA_METHOD *rsa;
    EC_KEY_METHOD *ec;
    pthread_mutex_t lock;
    int idle[IDLE_MOST]; /* connections that nobody uses now */
    unsigned n_idle;
};

struct lent { /* what a key knows of where it is; ex data of the RSA or EC key, freed with it */
    struct keyop *keys;
    char alias[KS_WORD];
    unsigned n;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int rsa_index = -1;
static int ec_index = -1;
static _Thread_local bool failed;

bool keyop_failed(void)
{
    bool was = failed;
    failed = false;
    return was;
}

int keyop_pid(const struct keyop *k)
{
    return (int)k->keeper;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static int connection_new(struct keyop *k)
{
    struct timeval limit = {ANSWER_S, 0};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
                    connect(fd, (const struct sockaddr *)&k->address, k->address_n) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int connection_take(struct keyop *k)
{
    int fd = -1;
    pthread_mutex_lock(&k->lock);
    if (k->n_idle > 0) {
        fd = k->idle[--k->n_idle];
    }
    pthread_mutex_unlock(&k->lock);
    return fd;
}

static void connection_put(struct keyop *k, int fd)
{
    pthread_mutex_lock(&k->lock);
    bool room = k->n_idle < IDLE_MOST;
    if (room) {
        k->idle[k->n_idle++] = fd;
    }
    pthread_mutex_unlock(&k->lock);
    if (!room) {
        close(fd);
    }
}

static bool exchange(int fd, const struct keyproc_question *q, struct keyproc_answer *a)
{
    return send(fd, q, sizeof *q, MSG_NOSIGNAL) == (ssize_t)sizeof *q &&
           recv(fd, a, sizeof *a, 0) == (ssize_t)sizeof *a && a->magic == KEYPROC_MAGIC &&
           a->octets <= (int32_t)sizeof a->data;
}

/* One question. A kept connection may lead to a process that has died meanwhile: a new one is tried once. @return
 * octets in out (at most room), -1 */
static int ask(const struct lent *l, enum keyproc_op op, int padding, const void *data, size_t n, uint8_t *out,
               size_t room)
{
    struct keyproc_question q = {
        .magic = KEYPROC_MAGIC, .op = op, .padding = padding, .n = l->n, .octets = (uint32_t)n};
    struct keyproc_answer a = {.octets = -1};
    int made = -1;
    if (n > sizeof q.data) {
        return -1;
    }
    cs_copy(q.alias, sizeof q.alias, l->alias);
    memcpy(q.data, data, n);
    int fd = connection_take(l->keys);
    bool good = fd >= 0 && exchange(fd, &q, &a);
    if (!good) {
        if (fd >= 0) {
            close(fd);
        }
        fd = connection_new(l->keys);
        good = fd >= 0 && exchange(fd, &q, &a);
    }
    if (good && a.octets >= 0 && (size_t)a.octets <= room) {
        memcpy(out, a.data, (size_t)a.octets);
        made = a.octets;
    }
    if (good) {
        connection_put(l->keys, fd);
    } else if (fd >= 0) {
        close(fd);
    }
    failed = failed || !good;
    OPENSSL_cleanse(&a, sizeof a);
    OPENSSL_cleanse(&q, sizeof q);
    return made;
}

/* ---- methods ----------------------------------------------------------------------------------------------------- */

static int rsa_sign(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    return ask(RSA_get_ex_data(rsa, rsa_index), KEYPROC_RSA_SIGN, padding, from, (size_t)n, to, (size_t)RSA_size(rsa));
}

static int rsa_decrypt(int n, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
    return ask(RSA_get_ex_data(rsa, rsa_index), KEYPROC_RSA_DECRYPT, padding, from, (size_t)n, to,
               (size_t)RSA_size(rsa));
}

static int ec_sign(int type, const unsigned char *digest, int n, unsigned char *sig, unsigned int *sig_n,
                   const BIGNUM *kinv, const BIGNUM *r, EC_KEY *key)
{
    (void)type;
    (void)kinv;
    (void)r;
    int made =
        ask(EC_KEY_get_ex_data(key, ec_index), KEYPROC_EC_SIGN, 0, digest, (size_t)n, sig, (size_t)ECDSA_size(key));
    *sig_n = made > 0 ? (unsigned)made : 0;
    return made > 0;
}

/* The secret is OpenSSL's to free. */
static int ec_agree(unsigned char **secret, size_t *n, const EC_POINT *other, const EC_KEY *key)
{
    const EC_GROUP *group = EC_KEY_get0_group(key);
    size_t room = ((size_t)EC_GROUP_get_degree(group) + 7) / 8;
    uint8_t point[EC_POINT_OCTETS];
    size_t octets = EC_POINT_point2oct(group, other, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, NULL);
    *secret = octets > 0 ? OPENSSL_zalloc(room) : NULL;
    if (*secret == NULL) {
        return 0;
    }
    int made = ask(EC_KEY_get_ex_data(key, ec_index), KEYPROC_EC_AGREE, 0, point, octets, *secret, room);
    if (made != (int)room) {
        OPENSSL_clear_free(*secret, room);
        *secret = NULL;
        return 0;
    }
    *n = room;
    return 1;
}

static void lent_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
    (void)parent;
    (void)ad;
    (void)idx;
    (void)argl;
    (void)argp;
    free(ptr);
}

/* A copy of a key asks on its own account. */
static int lent_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int idx, long argl, void *argp)
{
    (void)to;
    (void)from;
    (void)idx;
    (void)argl;
    (void)argp;
    struct lent *copy = *data != NULL ? malloc(sizeof *copy) : NULL;
    if (*data != NULL && copy == NULL) {
        return 0;
    }
    if (copy != NULL) {
        *copy = *(struct lent *)*data;
    }
    *data = copy;
    return 1;
}

static void make_indices(void)
{
    rsa_index = RSA_get_ex_new_index(0, NULL, NULL, lent_dup, lent_free);
    ec_index = EC_KEY_get_ex_new_index(0, NULL, NULL, lent_dup, lent_free);
}

static struct lent *lent_new(struct keyop *k, const char *alias, unsigned n)
{
    struct lent *l = calloc(1, sizeof *l);
    if (l != NULL) {
        l->keys = k;
        l->n = n;
        cs_copy(l->alias, sizeof l->alias, alias);
    }
    return l;
}

static EVP_PKEY *lend_rsa(struct keyop *k, EVP_PKEY *public_key, struct lent *l)
{
    const RSA *known = EVP_PKEY_get0_RSA(public_key);
    EVP_PKEY *key = EVP_PKEY_new();
    RSA *rsa = known != NULL ? RSA_new() : NULL;
    BIGNUM *n = rsa != NULL ? BN_dup(RSA_get0_n(known)) : NULL;
    BIGNUM *e = n != NULL ? BN_dup(RSA_get0_e(known)) : NULL;
    if (key == NULL || e == NULL || RSA_set0_key(rsa, n, e, NULL) != 1) {
        BN_free(n);
        BN_free(e);
        goto fail;
    }
    if (RSA_set_method(rsa, k->rsa) != 1 || RSA_set_ex_data(rsa, rsa_index, l) != 1) {
        goto fail;
    }
    l = NULL;
    RSA_set_flags(rsa, RSA_FLAG_EXT_PKEY);
    if (EVP_PKEY_assign_RSA(key, rsa) == 1) {
        return key;
    }
fail:
    RSA_free(rsa);
    EVP_PKEY_free(key);
    free(l);
    return NULL;
}

static EVP_PKEY *lend_ec(struct keyop *k, EVP_PKEY *public_key, struct lent *l)
{
    const EC_KEY *known = EVP_PKEY_get0_EC_KEY(public_key);
    EVP_PKEY *key = EVP_PKEY_new();
    EC_KEY *ec = known != NULL ? EC_KEY_new() : NULL;
    if (key == NULL || ec == NULL || EC_KEY_set_group(ec, EC_KEY_get0_group(known)) != 1 ||
        EC_KEY_set_public_key(ec, EC_KEY_get0_public_key(known)) != 1 || EC_KEY_set_method(ec, k->ec) != 1 ||
        EC_KEY_set_ex_data(ec, ec_index, l) != 1) {
        goto fail;
    }
    l = NULL;
    if (EVP_PKEY_assign_EC_KEY(key, ec) == 1) {
        return key;
    }
fail:
    EC_KEY_free(ec);
    EVP_PKEY_free(key);
    free(l);
    return NULL;
}

EVP_PKEY *keyop_lend(void *ctx, const char *alias, unsigned n, EVP_PKEY *public_key)
{
    struct keyop *k = ctx;
    int kind = EVP_PKEY_get_base_id(public_key);
    if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC) {
        return NULL;
    }
    struct lent *l = lent_new(k, alias, n);
    if (l == NULL) {
        return NULL;
    }
    return kind == EVP_PKEY_RSA ? lend_rsa(k, public_key, l) : lend_ec(k, public_key, l);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int make_methods(struct keyop *k)
{
    int (*sign)(int, const unsigned char *, int, unsigned char *, unsigned int *, const BIGNUM *, const BIGNUM *,
                EC_KEY *) = NULL;
    int (*setup)(EC_KEY *, BN_CTX *, BIGNUM **, BIGNUM **) = NULL;
    ECDSA_SIG *(*raw)(const unsigned char *, int, const BIGNUM *, const BIGNUM *, EC_KEY *) = NULL;
    (void)pthread_once(&once, make_indices);
    k->rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
    k->ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    if (k->rsa == NULL || k->ec == NULL || rsa_index < 0 || ec_index < 0 ||
        RSA_meth_set_priv_enc(k->rsa, rsa_sign) != 1 || RSA_meth_set_priv_dec(k->rsa, rsa_decrypt) != 1) {
        return -1;
    }
    EC_KEY_METHOD_get_sign(k->ec, &sign, &setup, &raw);
    EC_KEY_METHOD_set_sign(k->ec, ec_sign, setup, raw);
    EC_KEY_METHOD_set_compute_key(k->ec, ec_agree);
    return 0;
}

/* A listening socket without a name in the file system: the kernel chooses one. */
static int listen_unnamed(struct keyop *k)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    k->address_n = sizeof k->address;
    if (fd >= 0 &&
        (bind(fd, (const struct sockaddr *)&any, offsetof(struct sockaddr_un, sun_path)) != 0 ||
         listen(fd, IDLE_MOST) != 0 || getsockname(fd, (struct sockaddr *)&k->address, &k->address_n) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* In the child: nothing of the gateway process' descriptors but the log and the socket. */
static void __attribute__((noreturn)) become_keeper(int fd, pid_t asker, const struct gw_settings *settings)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != asker || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        dup2(fd, STDERR_FILENO + 1) < 0 || close_range(STDERR_FILENO + 2, ~0U, 0) != 0) {
        _exit(CS_EXIT_INTERNAL);
    }
    keyproc_keep(STDERR_FILENO + 1, asker, settings);
}

struct keyop *keyop_start(const struct gw_settings *settings, cs_error *e)
{
    struct keyop *k = calloc(1, sizeof *k);
    if (k == NULL || pthread_mutex_init(&k->lock, NULL) != 0) {
        free(k);
        cs_error_set(e, CS_EXIT_INTERNAL, "out-of-memory", "no memory for the keys process");
        return NULL;
    }
    pid_t self = getpid();
    int fd = listen_unnamed(k);
    if (fd < 0 || make_methods(k) != 0) {
        cs_error_set(e, CS_EXIT_INTERNAL, "keys", "the keys process cannot be prepared: %s", strerror(errno));
    } else {
        k->keeper = fork();
        if (k->keeper == 0) {
            become_keeper(fd, self, settings);
        }
        if (k->keeper < 0) {
            cs_error_set(e, CS_EXIT_INTERNAL, "keys", "the keys process cannot be started: %s", strerror(errno));
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (k->keeper <= 0) {
        k->keeper = 0;
        keyop_stop(k);
        return NULL;
    }
    return k;
}

void keyop_stop(struct keyop *k)
{
    if (k == NULL) {
        return;
    }
    for (unsigned i = 0; i < k->n_idle; i++) {
        close(k->idle[i]);
    }
    if (k->keeper > 0) {
        kill(k->keeper, SIGKILL); /* its child goes with it */
        while (waitpid(k->keeper, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    RSA_meth_free(k->rsa);
    EC_KEY_METHOD_free(k->ec);
    pthread_mutex_destroy(&k->lock);
    free(k);
}
