// SPDX-License-Identifier: Apache-2.0
#include "num/root.h"
#include <math.h>

void root_narrow(RootFn f, void *ctx, double *lo, double flo, double *hi, double fhi, double tol) {
    double a = *lo, b = *hi, ya = flo, yb = fhi, width = b - a;
    if (!(width > tol)) return;
    double up = ya < 0 || yb > 0 ? 1 : -1; // so that up * f goes from below 0 to above
    double half = ceil(log2(width / tol)) + 1, reach = tol * exp2(half) / 2; // reach: minmax radius, halved each round
    double k1 = 0.2 / width;
    while (b - a > tol) {
        double mid = a + (b - a) / 2, radius = reach - (b - a) / 2;
        if (mid <= a || mid >= b) break;
        double x = mid, slope = yb - ya;
        if (slope != 0) {
            double falsi = (yb * a - ya * b) / slope, sigma = mid > falsi ? 1 : -1;
            double delta = k1 * (b - a) * (b - a);
            double trunc = delta <= fabs(mid - falsi) ? falsi + sigma * delta : mid;
            x = fabs(trunc - mid) <= radius ? trunc : mid - sigma * radius;
            if (!(x > a && x < b)) x = mid;
        }
        double y = f(ctx, x);
        if (!(up * y < 0)) b = x, yb = y;
        else a = x, ya = y;
        reach /= 2;
    }
    *lo = a;
    *hi = b;
}
