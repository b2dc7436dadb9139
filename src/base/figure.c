// SPDX-License-Identifier: Apache-2.0
#include "base/figure.h"
#include <math.h>
#include <stdio.h>

#define APART STR("\xE2\x80\xAF")
#define MINUS STR("\xE2\x88\x92")
#define DASH STR("\xE2\x80\x93")

static void put_grouped(const char *digits, int n, Buf *out) {
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) buf_str_put(out, APART);
        buf_byte(out, digits[i]);
    }
}

void figure_decimals(double v, int decimals, bool short_, Buf *out) {
    char text[400];
    int n = snprintf(text, sizeof text, "%.*f", decimals, fabs(v)), whole = 0;
    while (whole < n && text[whole] != '.') whole++;
    while (short_ && n > whole && (text[n - 1] == '0' || text[n - 1] == '.')) n--;
    bool zero = true;
    for (int i = 0; i < n; i++) zero = zero && (text[i] == '0' || text[i] == '.');
    if (v < 0 && !zero) buf_str_put(out, MINUS);
    put_grouped(text, whole, out);
    buf_put(out, text + whole, n - whole);
}

void figure_digits(double v, int digits, Buf *out) {
    double size = fabs(v);
    if (!isfinite(v)) {
        buf_str_put(out, DASH);
        return;
    }
    if (size != 0 && (size >= 1e12 || size < 1e-4)) {
        if (v < 0) buf_str_put(out, MINUS);
        buf_printf(out, "%.*g", digits - 1, size);
        return;
    }
    int decimals = size == 0 ? 0 : digits - 1 - (int)floor(log10(size));
    decimals = decimals < 0 ? 0 : decimals > 8 ? 8 : decimals;
    figure_decimals(v, decimals, true, out);
}
