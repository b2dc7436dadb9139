// SPDX-License-Identifier: Apache-2.0
// Files of ui/, embedded by CMake (cmake/embed.cmake).
#pragma once
#include "base/str.h"

extern const unsigned char page_html[], page_css[], page_js[];
extern const unsigned int page_html_size, page_css_size, page_js_size;
