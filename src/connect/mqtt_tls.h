// SPDX-License-Identifier: Apache-2.0
// TLS of a link to a broker: made from texts or files, so that keys never lie in files of ours. Any thread.
#pragma once
#include <openssl/ssl.h>
#include "connect/mqtt.h"

// A context that checks the broker by c->server_name or c->host. `why` gets a sentence that names the member. Errors:
// ARGUMENT (not PEM, wrong password), IO (a file).
MUST Err mqtt_tls_make(const MqttConfig *c, SSL_CTX **out, Buf *why);
