// SPDX-License-Identifier: Apache-2.0
#include "connect/mqtt_tls.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>

#define HOST_NAME_MAX_HERE 256

// A sentence with what OpenSSL says last; leaves its queue empty.
static Err complain(Buf *why, Err err, const char *member, const char *what) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    buf_printf(why, "%s: %s%s%s", member, what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return err;
}

// The PEM text or the file of that path as a BIO.
static Err open_text(Str s, const char *member, BIO **out, Buf *why) {
    char path[1024];
    if (!s.n || s.p[0] != '/') {
        *out = BIO_new_mem_buf(s.p, (int)s.n);
        return *out ? ERR_OK : ERR_IO;
    }
    snprintf(path, sizeof path, "%.*s", STR_ARG(s));
    *out = BIO_new_file(path, "r");
    if (*out) return ERR_OK;
    return complain(why, ERR_IO, member, "the file cannot be read");
}

static Err add_ca(SSL_CTX *ctx, Str text, Buf *why) {
    BIO *bio;
    TRY(open_text(text, "tls.ca", &bio, why));
    int count = 0;
    X509 *x;
    while ((x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x);
        X509_free(x);
        count++;
    }
    BIO_free(bio);
    if (!count) return complain(why, ERR_ARGUMENT, "tls.ca", "there is no certificate in it");
    ERR_clear_error(); // the end of the text is an error to OpenSSL
    return ERR_OK;
}

// The first certificate is the client's, those that follow its chain.
static Err add_cert(SSL_CTX *ctx, Str text, Buf *why) {
    BIO *bio;
    TRY(open_text(text, "tls.cert", &bio, why));
    X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;
    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
        if (!ok) X509_free(x);
    }
    BIO_free(bio);
    if (!ok) return complain(why, ERR_ARGUMENT, "tls.cert", "it is no certificate");
    ERR_clear_error();
    return ERR_OK;
}

static int give_password(char *out, int size, int writing, void *arg) {
    const Str *password = arg;
    (void)writing;
    if (password->n > size) return 0;
    memcpy(out, password->p, (size_t)password->n);
    return (int)password->n;
}

static Err add_key(SSL_CTX *ctx, const MqttConfig *c, Buf *why) {
    BIO *bio;
    TRY(open_text(c->key, "tls.key", &bio, why));
    Str password = c->key_password;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &password);
    BIO_free(bio);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    if (!ok) return complain(why, ERR_ARGUMENT, "tls.key", "it is no private key of that certificate and password");
    return ERR_OK;
}

static int slot = -1;

// libmosquitto asks for the host's name; where another is wanted, it is put in before the first message is made.
static void on_info(const SSL *ssl, int where, int value) {
    (void)value;
    const char *name = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), slot);
    if ((where & SSL_CB_HANDSHAKE_START) && name) SSL_set_tlsext_host_name((SSL *)ssl, name);
}

static void free_name(void *parent, void *p, CRYPTO_EX_DATA *data, int at, long argl, void *arg) {
    (void)parent, (void)data, (void)at, (void)argl, (void)arg;
    OPENSSL_free(p);
}

static void make_slot(void) { slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_name); }

static int name_slot(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_slot);
    return slot;
}

static Err check_host(SSL_CTX *ctx, const MqttConfig *c) {
    char name[HOST_NAME_MAX_HERE];
    Str s = c->server_name.n ? c->server_name : c->host;
    snprintf(name, sizeof name, "%.*s", STR_ARG(s));
    if (c->server_name.n) {
        SSL_CTX_set_ex_data(ctx, name_slot(), OPENSSL_strdup(name));
        SSL_CTX_set_info_callback(ctx, on_info);
    }
    if (c->insecure) return ERR_OK;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    unsigned char address[16];
    bool ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    int ok = ip ? X509_VERIFY_PARAM_set1_ip_asc(param, name) : X509_VERIFY_PARAM_set1_host(param, name, strlen(name));
    return ok == 1 ? ERR_OK : ERR_ARGUMENT;
}

static Err fill(SSL_CTX *ctx, const MqttConfig *c, Buf *why) {
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(ctx, c->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (c->ca.n) TRY(add_ca(ctx, c->ca, why));
    else SSL_CTX_set_default_verify_paths(ctx);
    if (c->cert.n) {
        TRY(add_cert(ctx, c->cert, why));
        TRY(add_key(ctx, c, why));
    }
    return check_host(ctx, c);
}

Err mqtt_tls_make(const MqttConfig *c, SSL_CTX **out, Buf *why) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) return ERR_IO;
    Err err = fill(ctx, c, why);
    if (err) SSL_CTX_free(ctx);
    else *out = ctx;
    return err;
}
