// SPDX-License-Identifier: Apache-2.0
// The generated city is a valid world, and the questions that the bench asks of it have the answers that SQLite gives.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <sosia/sosia.h>
#include "query_sqlite.h"

static const City city = {.districts = 1, .seed = 1};

static bool import_body(void *arg, Str body) {
    SosiaDone done;
    Buf keep = {0};
    SosiaWrite w = {.op = SOSIA_IMPORT, .body = body};
    SosiaErr err = sosia_write_wait(arg, NULL, &w, &done, &keep);
    bool ok = err == SOSIA_OK && str_find_str(done.body, STR("\"rejected\":0")) >= 0;
    if (!ok) printf("%s: %.*s\n", sosia_err_name(err), STR_ARG(done.body));
    buf_free(&keep);
    return ok;
}

static int setup(void **state) {
    Sosia *s = NULL;
    if (sosia_open(&(SosiaOpen){0}, &s, NULL) != SOSIA_OK) return 1;
    *state = s;
    return city_import(&city, 1 << 20, import_body, s) ? 0 : 1;
}

static int teardown(void **state) {
    sosia_close(*state);
    return 0;
}

typedef struct Counts {
    int64_t twins, links;
    int64_t by_rel[CITY_RELS];
} Counts;

static void count_link(void *arg, const CityLink *l) {
    Counts *n = arg;
    assert_int_equal(l->number, n->links);
    assert_true(l->source >= 0 && l->source < city_twin_count(&city));
    assert_true(l->target >= 0 && l->target < city_twin_count(&city));
    n->links++;
    n->by_rel[l->rel]++;
}

// As many twins and links as the header says; whoever generates them again gets the same.
static void test_sizes(void **state) {
    SosiaOut out = {0};
    SosiaRead r = {.what = SOSIA_GET_WORLDS};
    Counts n = {0};
    CityTwin a, b;
    city_links(&city, count_link, &n);
    assert_int_equal(n.links, CITY_LINKS_EACH);
    assert_int_equal(n.by_rel[CITY_CONTAINS] + n.by_rel[CITY_HAS], CITY_TWINS_EACH - 1); // a parent each
    assert_int_equal(sosia_read(*state, NULL, &r, &out), SOSIA_OK);
    assert_true(str_find_str((Str){out.body.p, out.body.n}, STR("\"twins\":25000,\"relationships\":75000")) >= 0);
    sosia_out_free(&out);
    for (int64_t row = 0; row < city_twin_count(&city); row += 997) {
        Buf x = {0}, y = {0};
        city_twin(&city, row, &a);
        city_twin(&city, row, &b);
        city_put_twin(&a, &x);
        city_put_twin(&b, &y);
        assert_true(str_eq(buf_str(&x), buf_str(&y)));
        buf_free(&x);
        buf_free(&y);
    }
}

static Answer ask(Sosia *s, const Question *q, const QuestionIds *ids) {
    SosiaAnswer out = {0};
    Buf text = {0}, body = {0};
    Answer answer;
    question_text(q, ids, &text);
    SosiaErr err = sosia_query(s, NULL, &(SosiaQuery){.text = buf_str(&text), .limit = 1000}, &out);
    if (err) printf("%s: %.*s\n", q->name, (int)out.message.n, out.message.p);
    assert_int_equal(err, SOSIA_OK);
    buf_printf(&body, "{\"value\":%.*s}", (int)out.body.n, out.body.p);
    assert_true(answer_read(buf_str(&body), &answer));
    sosia_answer_free(&out);
    buf_free(&body);
    buf_free(&text);
    return answer;
}

static void compare(Sosia *s, SqlitePeer *p, const Question *q) {
    enum { VARIANTS = 4 };
    for (int32_t n = 0; n < q->variants && n < VARIANTS; n++) {
        double ms;
        QuestionIds ids = question_ids(&city, q, n);
        Answer ours = ask(s, q, &ids), theirs = sqlite_peer_ask(p, q, &ids, &ms);
        if (!answer_same(&ours, &theirs))
            printf("%s '%s' '%s': %lld rows, sum %.12g; SQLite %lld, %.12g\n", q->name, ids.a, ids.b,
                   (long long)ours.rows, ours.sum, (long long)theirs.rows, theirs.sum);
        assert_true(answer_same(&ours, &theirs));
        assert_true(ours.rows > 0);
    }
}

// Every question of the bench, and of the walks, has the same answer here and there.
static void test_answers(void **state) {
    SqlitePeer *p = sqlite_peer_open(&city);
    for (const Question *q = questions; q->name; q++) compare(*state, p, q);
    for (const Question *q = depth_questions; q->name; q++) compare(*state, p, q);
    sqlite_peer_close(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
