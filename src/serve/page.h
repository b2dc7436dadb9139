// SPDX-License-Identifier: Apache-2.0
// The page at "/": the browser app where it was built (assets.h), else a simple one. Files of ui/, embedded by CMake
// (cmake/embed.cmake).
#pragma once
#include "serve/http.h"

extern const unsigned char page_html[], page_css[], page_js[];
extern const unsigned int page_html_size, page_css_size, page_js_size;

// What every file of a page is sent with: a content security policy without inline code, and the like.
void page_headers(HttpReply *reply);
