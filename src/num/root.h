// SPDX-License-Identifier: Apache-2.0
// Where a function of one variable changes sign. Any thread.
#pragma once

typedef double (*RootFn)(void *ctx, double x);

// Narrow [*lo, *hi], where f has opposite signs (or is 0) at the ends, until it is no wider than tol or the next
// double.
//   flo, fhi   values at the ends; a sign of 0 counts as that of the other end's opposite
// Afterwards f changes sign between *lo and *hi. Cost: a few calls for smooth f, never more than bisection plus one.
// Method: ITP, Oliveira and Takahashi 2020, "An enhancement of the bisection method average performance preserving
// minmax optimality", ACM TOMS 47(1).
void root_narrow(RootFn f, void *ctx, double *lo, double flo, double *hi, double fhi, double tol);
