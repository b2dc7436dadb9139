// SPDX-License-Identifier: Apache-2.0
// @context: which DTDL version, limits and extensions are in force; and the DTMIs of the vocabulary.
#include "model/dtdl.h"
#include "model/dtmi.h"

#define CORE STR("dtmi:dtdl:context")

// Split "name;version#fragment". version 0: none given.
static bool context_split(Str s, Dtmi *d) {
    if (!dtmi_parse(s, d)) {
        // "#limits" and the like are no identifiers' fragments, but are cut the same way.
        int64_t hash = str_find(s, '#', 0);
        return hash >= 0 && dtmi_parse(str_sub(s, 0, hash), d);
    }
    return true;
}

static bool unknown_allowed(const Parser *p, int version) {
    if (p->opt.unknown == UNKNOWN_BY_VERSION) return version == 2;
    return p->opt.unknown == UNKNOWN_ALLOW;
}

static int ext_of(Str path) {
    for (int x = 0; x < EXT_COUNT; x++)
        if (str_eq(path, ext_context((Ext)x))) return x;
    return -1;
}

static int limit_set_of(Str s) {
    if (str_eq(s, STR("dtmi:dtdl:context;4#limits"))) return LIMITS_STANDARD;
    if (str_eq(s, STR("dtmi:dtdl:limits:onvif;1"))) return LIMITS_ONVIF;
    if (str_eq(s, STR("dtmi:dtdl:limits:aio;1"))) return LIMITS_AIO;
    return -1;
}

// State of one @context while its entries are read.
typedef struct Reading {
    const Elem *elem;
    Scope *scope;
    bool has_core, has_affiliate, implied, want_limits, failed; // implied: version by a partner's context
} Reading;

#define CONTEXT_BAD(code, ...)                                                                                         \
    do {                                                                                                               \
        complain(p, r->elem, "@context", code, __VA_ARGS__);                                                           \
        r->failed = true;                                                                                              \
        return;                                                                                                        \
    } while (0)

static void read_core(Parser *p, Reading *r, Str s, const Dtmi *d) {
    int max = p->opt.max_version ? p->opt.max_version : 4;
    int64_t hash = str_find(s, '#', 0);
    Str fragment = hash < 0 ? STR("") : str_sub(s, hash + 1, s.n);
    if (d->major == 0)
        CONTEXT_BAD(ERR_MODEL, "missingContextVersion", "\"%.*s\" has no version; write dtmi:dtdl:context;2 or ;3",
                    STR_ARG(s));
    if (d->major < 2 || d->major > 4 || d->minor)
        CONTEXT_BAD(ERR_MODEL_VERSION, "unrecognizedContextVersion",
                    "\"%.*s\" is no known DTDL version; use version 2, 3 or 4", STR_ARG(s));
    if (d->major > max)
        CONTEXT_BAD(ERR_MODEL_VERSION, "disallowedContextVersion",
                    "DTDL version %d is above the highest allowed one, %d", (int)d->major, max);
    if (hash >= 0 && d->major < 4)
        CONTEXT_BAD(ERR_MODEL, "disallowedContextFragment",
                    "\"%.*s\": DTDL versions before 4 take no fragment; remove it", STR_ARG(s));
    bool limitless = str_eq(fragment, STR("limitless"));
    if (hash >= 0 && !limitless && !str_eq(fragment, STR("limits")))
        CONTEXT_BAD(ERR_MODEL, "invalidContextFragment", "\"%.*s\": the fragment is neither limitless nor limits",
                    STR_ARG(s));
    if (r->has_affiliate && !(r->implied && d->major == r->scope->version))
        CONTEXT_BAD(ERR_MODEL, "dtdlContextFollowsAffiliate", "\"%.*s\" stands behind an extension; put it first",
                    STR_ARG(s));
    if (hash >= 0 && !limitless && !r->want_limits)
        CONTEXT_BAD(ERR_MODEL, "misplacedLimitContext",
                    "\"%.*s\" must follow directly on dtmi:dtdl:context;4#limitless", STR_ARG(s));
    r->has_core = true;
    r->scope->version = (uint8_t)d->major;
    r->scope->limits = LIMITS_STANDARD;
    r->want_limits = limitless;
}

static void read_limits(Parser *p, Reading *r, Str s, int set) {
    if (!r->want_limits)
        CONTEXT_BAD(ERR_MODEL, "misplacedLimitContext",
                    "\"%.*s\" must follow directly on dtmi:dtdl:context;4#limitless", STR_ARG(s));
    r->want_limits = false;
    r->scope->limits = (uint8_t)set;
    if (set != LIMITS_STANDARD && !(p->opt.limits >> set & 1))
        CONTEXT_BAD(ERR_MODEL, "disallowedLimitContext", "the limits \"%.*s\" are not accepted here", STR_ARG(s));
}

static void read_affiliate(Parser *p, Reading *r, Str s, const Dtmi *d) {
    int x = ext_of(d->path);
    bool allowed = unknown_allowed(p, r->scope->version);
    if (x == EXT_IOTCENTRAL && !r->scope->version) {
        r->scope->version = 2; // this context may stand before that of DTDL v2
        r->implied = true;
    }
    r->has_affiliate = true;
    if (d->major == 0 && (x >= 0 || !allowed))
        CONTEXT_BAD(ERR_MODEL, "missingContextVersion", "\"%.*s\" has no version; add one", STR_ARG(s));
    if (x >= 0 && ext_versions((Ext)x, d->major) && !d->minor) {
        r->scope->ext[x] = (uint8_t)d->major;
        return;
    }
    r->scope->unknown = true;
    if (allowed) return;
    if (x >= 0)
        CONTEXT_BAD(ERR_MODEL, "unresolvableContextVersion", "\"%.*s\": that version of the extension is not known",
                    STR_ARG(s));
    CONTEXT_BAD(ERR_MODEL, "unresolvableContextSpecifier",
                "\"%.*s\" is no known extension; remove it, or use one of annotation, historization, mqtt, overriding, "
                "quantitativeTypes, requirement",
                STR_ARG(s));
}

static void read_entry(Parser *p, Reading *r, const Json *v) {
    if (v->type == JSON_OBJECT)
        CONTEXT_BAD(ERR_MODEL, "disallowedLocalContext", "terms cannot be defined in a model; name a context instead");
    if (v->type != JSON_STRING)
        CONTEXT_BAD(ERR_MODEL, "invalidContext", "a context is a string, got %s", json_type_name(v->type));
    Dtmi d;
    Str s = v->s;
    if (!str_starts(s, STR("dtmi:")))
        CONTEXT_BAD(ERR_MODEL, "nonDtmiContextSpecifier", "\"%.*s\" is no DTMI; use dtmi:dtdl:context;2 or ;3",
                    STR_ARG(s));
    if (!context_split(s, &d))
        CONTEXT_BAD(ERR_MODEL, "invalidContextSpecifier", "\"%.*s\" is not a well-formed DTMI", STR_ARG(s));
    int set = limit_set_of(s);
    if (set == LIMITS_STANDARD && r->want_limits) {
        read_limits(p, r, s, set);
    } else if (str_eq(d.path, CORE)) {
        if (r->want_limits)
            CONTEXT_BAD(ERR_MODEL, "missingLimitContext",
                        "dtmi:dtdl:context;4#limitless needs a limit context behind it");
        read_core(p, r, s, &d);
    } else if (set > LIMITS_STANDARD) {
        read_limits(p, r, s, set);
    } else {
        if (r->want_limits)
            CONTEXT_BAD(ERR_MODEL, "missingLimitContext",
                        "dtmi:dtdl:context;4#limitless needs a limit context behind it");
        if (!r->has_core && !r->scope->version && ext_of(d.path) != EXT_IOTCENTRAL)
            CONTEXT_BAD(ERR_MODEL, "missingDtdlContext", "the first context must be dtmi:dtdl:context;2 or ;3");
        if (!dtmi_ok(s, r->scope->version ? r->scope->version : 2) && d.major)
            CONTEXT_BAD(ERR_MODEL, "invalidContextSpecifierForVersion",
                        "\"%.*s\" is no valid context of DTDL version %d", STR_ARG(s), r->scope->version);
        read_affiliate(p, r, s, &d);
    }
}

bool scope_parse(Parser *p, const Elem *e, const Json *ctx, const Scope *outer, Scope *out) {
    *out = outer ? *outer : (Scope){0};
    if (!ctx && outer) return true;
    if (!ctx) {
        COMPLAIN(p, e, "@context", "missingContext", "there is no @context; add \"@context\": \"dtmi:dtdl:context;3\"");
        return false;
    }
    Reading r = {.elem = e, .scope = out};
    const Json *items = ctx->type == JSON_ARRAY ? ctx->items : ctx;
    int32_t count = ctx->type == JSON_ARRAY ? ctx->count : 1;
    if (count == 0 && outer) return true;
    if (count == 0 || (ctx->type == JSON_STRING && ctx->s.n == 0)) {
        COMPLAIN(p, e, "@context", "emptyContext", "@context is empty; name dtmi:dtdl:context;2 or ;3");
        return false;
    }
    for (int32_t i = 0; i < count && !r.failed; i++) read_entry(p, &r, &items[i]);
    if (!r.failed && r.want_limits)
        COMPLAIN(p, e, "@context", "missingLimitContext",
                 "dtmi:dtdl:context;4#limitless needs a limit context behind it");
    if (!r.failed && (!out->version || (r.implied && !r.has_core)))
        COMPLAIN(p, e, "@context", "missingDtdlContext", "the first context must be dtmi:dtdl:context;2 or ;3");
    return !r.failed && !r.want_limits && out->version && (r.has_core || !r.implied);
}

// ---- vocabulary ----

// "NAME;V" behind a prefix of the core vocabulary.
static Vocab vocab_core(Str rest, Category c) {
    int64_t semi = str_find(rest, ';', 0), v;
    if (semi <= 0 || !str_to_i64(str_sub(rest, semi + 1, rest.n), &v) || v < 2 || v > 4) return (Vocab){0};
    return (Vocab){.category = c, .term = str_sub(rest, 0, semi), .ext = -1, .version = (int)v};
}

// "vN:..." behind the id of an extension.
static Vocab vocab_ext(Str rest, int ext) {
    Str version = str_cut(&rest, ':');
    int64_t v;
    if (version.n < 2 || version.p[0] != 'v' || !str_to_i64(str_sub(version, 1, version.n), &v)) return (Vocab){0};
    if (!ext_versions((Ext)ext, v > 9 ? 9 : (int)v)) return (Vocab){0};
    Vocab out = {.category = CAT_CLASS, .term = rest, .ext = ext, .version = (int)v};
    int64_t colon = str_find(rest, ':', 0);
    if (colon < 0) return out;
    Str head = str_sub(rest, 0, colon);
    out.term = str_sub(rest, colon + 1, rest.n);
    if (str_eq(head, STR("unit"))) out.category = CAT_UNIT;
    else if (str_eq(head, STR("enum"))) out.category = CAT_FAMILY;
    else if (str_eq(head, STR("unitprefix"))) out.category = CAT_OTHER;
    else if (!str_eq(head, STR("class"))) out.category = CAT_PROP; // "property:x" or "Cotype:x"
    return out;
}

Vocab vocab_parse(Str uri) {
    static const struct {
        const char *prefix;
        Category category;
        int ext;
    } PREFIXES[] = {
        {"dtmi:dtdl:class:", CAT_CLASS, -1},
        {"dtmi:dtdl:property:", CAT_PROP, -1},
        {"dtmi:dtdl:instance:Schema:", CAT_VALUE, -1},
        {"dtmi:dtdl:instance:CommandType:", CAT_VALUE, -1},
        {"dtmi:standard:schema:geospatial:", CAT_VALUE, -1},
        {"dtmi:standard:schema:", CAT_VALUE, -1},
        {"dtmi:standard:class:", CAT_CLASS, -1},
        {"dtmi:standard:unit:", CAT_UNIT, -1},
        {"dtmi:standard:unitprefix:", CAT_OTHER, -1},
        {"dtmi:iotcentral:class:", CAT_CLASS, EXT_IOTCENTRAL},
        {"dtmi:iotcentral:schema:", CAT_VALUE, EXT_IOTCENTRAL},
        {"dtmi:iotoperations:class:", CAT_CLASS, EXT_IOTOPERATIONS},
        {"dtmi:iotoperations:property:", CAT_PROP, EXT_IOTOPERATIONS},
    };
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        Str prefix = str_of(PREFIXES[i].prefix);
        if (!str_starts(uri, prefix)) continue;
        Vocab v = vocab_core(str_sub(uri, prefix.n, uri.n), PREFIXES[i].category);
        if (v.category) v.ext = PREFIXES[i].ext;
        return v;
    }
    for (int x = 0; x < EXT_COUNT; x++) {
        Str prefix = ext_context((Ext)x);
        if (str_starts(uri, prefix) && uri.n > prefix.n && uri.p[prefix.n] == ':')
            return vocab_ext(str_sub(uri, prefix.n + 1, uri.n), x);
    }
    return (Vocab){0};
}

UnitSet scope_units(const Scope *s) {
    if (s->ext[EXT_QUANTITATIVE]) return (UnitSet)(1 << s->ext[EXT_QUANTITATIVE]);
    return s->version == 2 ? UNITS_V2 : 0;
}

bool scope_knows(const Scope *s, Str term) {
    if (meta_known_term(term, s->version)) return true;
    UnitSet set = scope_units(s);
    const Unit *u = unit_find(term);
    const SemanticType *t = semantic_find(term);
    if ((u && (u->sets & set)) || (t && (t->sets & set))) return true;
    for (int x = 0; x < EXT_COUNT; x++)
        if (s->ext[x] && meta_find_cotype((Ext)x, s->ext[x], term)) return true;
    return s->ext[EXT_IOTCENTRAL] && meta_find_builtin(term, 2, true);
}
