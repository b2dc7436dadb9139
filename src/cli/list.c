// SPDX-License-Identifier: Apache-2.0
#include "cli/list.h"

static Err say_rows(const List *l, Client *c, const Json *all) {
    Table t;
    if (!all->count && l->none) {
        note("%s", l->none);
        if (l->next) hint("%s", l->next);
        return ERR_OK;
    }
    table_init(&t, l->columns, l->column_count);
    for (int32_t i = 0; i < all->count; i++) l->put(&t, c, &all->items[i]);
    Err err = say_table(&t);
    table_free(&t);
    return err;
}

Err list_say(const List *l, Client *c, Str path, bool json, Json *doc) {
    Json own;
    if (!doc) doc = &own;
    *doc = (Json){.type = JSON_NULL};
    TRY(client_do(c, &(Call){.path = path}));
    if (json) return client_say(c);
    TRY(client_json(c, doc));
    const Json *all = json_get(doc, STR("value"));
    if (!all || all->type != JSON_ARRAY) return tell(ERR_SYNTAX, "the answer holds no list");
    return say_rows(l, c, all);
}
